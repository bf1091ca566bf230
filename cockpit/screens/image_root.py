"""Where a run's films lie."""

from __future__ import annotations

from pathlib import Path

from engine.errors import UserError
from engine.runs.layout import RunPaths


def image_root_of(paths: RunPaths) -> Path:
    """data.image_root of the run's frozen configuration. UserError if it cannot be told."""
    import yaml

    try:
        config = yaml.safe_load(paths.config.read_text(encoding="utf-8"))
        return Path(config["data"]["image_root"])
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise UserError(f"{paths.config}: cannot tell where the images are ({error})") from None
