"""The database as files: kept aside under another name, told from others, put back from a connection still open."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from engine.runs.store.schema import COMPANIONS, make_file

#: Device and inode of the database, its log and its index; None for one that is not there.
Identity = tuple[tuple[int, int] | None, ...]


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


def identity(path: Path) -> Identity:
    """Of the files that bear the names now."""
    return tuple(_inode(file) for file in (path, *companions(path)[:2]))


def put_back(connection: sqlite3.Connection, path: Path, own: Identity) -> str:
    """Write what the open connection reads to `path`, by SQLite's backup. A foreign database there is kept aside.

    own: what the connection was opened on. Returns what was done, in a line. Only for the holder of the run's lock.
    Raises `sqlite3.Error` or `OSError` where it cannot be read or there is no room, and leaves all as it was.
    """
    partial, whole = path.with_name("run.db.restoring"), path.with_name("run.db.recovering")
    for leftover in (partial, *companions(partial)):
        leftover.unlink(missing_ok=True)
    make_file(partial)
    with closing(sqlite3.connect(partial)) as new:
        connection.backup(new)
    partial.rename(whole)  # from here on the next start would finish it
    there = identity(path)[0]
    foreign = there is not None and there != own[0]
    if foreign:
        aside = keep_aside(path, "replaced")
    for left in companions(path):  # SQLite would take a log that it finds there for that of the new database
        left.unlink(missing_ok=True)
    whole.rename(path)
    if foreign:
        return f"run.db was replaced under the engine: it is written back whole, the other is kept as {aside.name}"
    what = "run.db" if there is None else "the log of run.db"
    return f"{what} was removed under the engine: it is written back whole"


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        about = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return about.st_dev, about.st_ino
