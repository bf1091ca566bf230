"""Paths as people write them."""

import os
from pathlib import Path

from engine.errors import UserError


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with `~` as the home directory. UserError where nobody knows which that is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{os.fspath(path)}: no home directory is known for it; write the path out") from None
