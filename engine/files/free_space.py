"""Room on the disk that a file is going to be written to."""

import shutil
from pathlib import Path


def free_space(place: Path) -> int:
    """Bytes free where `place` lies, or will lie once it is made. Raises `OSError`."""
    place = place.absolute()
    return shutil.disk_usage(next(one for one in (place, *place.parents) if one.exists())).free
