"""A database kept aside: renamed, and with it the files that SQLite keeps beside it."""

import os
from pathlib import Path

from engine.runs.store.schema import COMPANIONS


def companions(path: Path) -> list[Path]:
    """Where SQLite keeps the log, the index and the journal of the database at `path`."""
    return [path.with_name(path.name + suffix) for suffix in COMPANIONS]


def keep_aside(path: Path, word: str) -> Path:
    """Rename the database to the first free `NAME.WORD-1`, `-2` …, the files beside it along with it; returns where.

    The database last: until then it is found under its name. Raises OSError.
    """
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.{word}-{number}")):
        number += 1
    for file, going in zip(companions(path), companions(aside), strict=True):
        if os.path.lexists(file):
            file.rename(going)
    path.rename(aside)
    return aside
