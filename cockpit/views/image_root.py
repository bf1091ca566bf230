"""Where a run's films lie."""

from __future__ import annotations

from pathlib import Path

from engine.errors import UserError
from engine.runs.layout import RunPaths


def image_root_of(paths: RunPaths) -> Path:
    """data.image_root of the run's frozen configuration. UserError if it cannot be told."""
    from engine.files.yaml_file import read_yaml

    try:
        return Path(read_yaml(paths.config)["data"]["image_root"])
    except (OSError, UserError, KeyError, TypeError) as error:
        raise UserError(f"{paths.config}: cannot tell where the images are ({error})") from None
