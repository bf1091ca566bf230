"""Removing whatever bears a name. A link is taken away, never what it leads to."""

import shutil
from pathlib import Path


def remove(path: Path) -> None:
    """Remove a file, a link or a directory with all that is in it; nothing there is well. Raises `OSError`."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
