"""Room on the disk that a file is going to be written to."""

import shutil
from pathlib import Path


def free_space(place: Path) -> int:
    """Bytes free where `place` lies, or will lie once it is made. Raises `OSError`."""
    return shutil.disk_usage(nearest_existing(place)).free


def nearest_existing(place: Path) -> Path:
    """`place` itself, or the nearest directory above it that is there."""
    place = place.absolute()
    return next(one for one in (place, *place.parents) if one.exists())
