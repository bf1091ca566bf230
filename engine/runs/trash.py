"""Runs that were deleted, kept for some days: `RUNS/.trash/NAME.20261128T035718Z`, for their owner's eyes only.

Nothing has to run for it to be emptied: whatever next starts an app or an engine on the directory does.
"""

import os
import re
import stat
import time
from datetime import UTC, datetime
from pathlib import Path

from engine.errors import UserError
from engine.files.removal import remove
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock

TRASH = ".trash"
DAYS = 7
"""Whole days for which a deleted run stays."""

_STAMP = "%Y%m%dT%H%M%SZ"
_ENTRY = re.compile(r".+\.(\d{8}T\d{6}Z)(-\d+)?", re.DOTALL)


def to_trash(paths: RunPaths, retry_seconds: float, now: float | None = None) -> Path:
    """Move the run into the trash beside it; returns where it lies. UserError if an engine lives in it."""
    lock = EngineLock.take(paths, retry_seconds)
    try:
        trash = _made(paths.root.parent / TRASH)
        place = _free_place(trash, paths.name, time.time() if now is None else now)
        os.rename(paths.root, place)  # of a link, the link
    except OSError as error:
        raise UserError(f"cannot delete {paths.root}: {error.strerror}") from None
    finally:
        lock.close()
    return place


def empty_trash(directory: Path, now: float | None = None) -> list[str]:
    """Remove what has been in the trash of a runs directory for its days; returns a line for what would not go.

    Links are taken away, never followed. What bears no time of deletion was put there by somebody and stays.
    """
    trash = directory / TRASH
    if not _is_directory(trash):
        return []
    before = (time.time() if now is None else now) - DAYS * 86400
    complaints = []
    for entry in sorted(trash.iterdir()):
        deleted = _deleted_at(entry.name)
        if deleted is not None and deleted <= before:
            try:
                remove(entry)
            except OSError as error:
                complaints.append(f"{entry} was deleted {DAYS} days ago and will not go: {error.strerror}")
    return complaints


def _made(trash: Path) -> Path:
    if not os.path.lexists(trash):
        trash.mkdir(mode=0o700)
    if not _is_directory(trash):
        raise UserError(f"{trash} is no directory: nothing can be deleted into it; move it away")
    trash.chmod(0o700)
    return trash


def _is_directory(path: Path) -> bool:
    """Whether a directory itself, no link to one, bears the name."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _free_place(trash: Path, name: str, now: float) -> Path:
    stem = f"{name}.{datetime.fromtimestamp(now, UTC).strftime(_STAMP)}"
    place, number = trash / stem, 1
    while os.path.lexists(place):
        number += 1
        place = trash / f"{stem}-{number}"
    return place


def _deleted_at(name: str) -> float | None:
    found = _ENTRY.fullmatch(name)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
