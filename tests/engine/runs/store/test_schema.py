"""Versions, and files that are missing, half-made or broken."""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UserError
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock
from engine.runs.store import schema
from engine.runs.store.opening import NotReady, RunReader, RunWriter, open_reader, open_writer, status_of

Opens = Callable[[RunPaths], RunReader | RunWriter]


def version(paths: RunPaths) -> int:
    with sqlite3.connect(paths.db) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_new_database_has_the_current_version(paths: RunPaths) -> None:
    open_writer(paths).close()
    assert version(paths) == len(schema.MIGRATIONS)


def test_newer_database_is_refused_by_both(paths: RunPaths) -> None:
    open_writer(paths).close()
    with sqlite3.connect(paths.db) as connection:
        connection.execute("PRAGMA user_version = 99")
    for opens in (open_writer, open_reader):
        with pytest.raises(UserError, match=r"version 99.*update cxr-cockpit"):
            opens(paths)
    assert version(paths) == 99


@pytest.mark.parametrize("opens", [open_writer, open_reader])
def test_older_database_is_migrated(paths: RunPaths, monkeypatch: pytest.MonkeyPatch, opens: Opens) -> None:
    with open_writer(paths) as writer:
        writer.scalars("stage_a", 1, {"a": 1.0})
    longer = (*schema.MIGRATIONS, ("ALTER TABLE attempt ADD COLUMN host TEXT",))
    monkeypatch.setattr(schema, "MIGRATIONS", longer)
    monkeypatch.setattr(schema.migrate, "__defaults__", (longer,))
    opens(paths).close()
    assert version(paths) == len(longer)
    with sqlite3.connect(paths.db) as connection:
        connection.execute("SELECT host FROM attempt")
    with open_reader(paths) as reader:
        assert len(list(reader.scalars())) == 1


def test_broken_migration_changes_nothing(paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    open_writer(paths).close()
    broken = (*schema.MIGRATIONS, ("CREATE TABLE extra (x)", "nonsense"))
    monkeypatch.setattr(schema.migrate, "__defaults__", (broken,))
    with pytest.raises(UserError):
        open_writer(paths)
    assert version(paths) == len(schema.MIGRATIONS)
    with sqlite3.connect(paths.db) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("SELECT * FROM extra")


def test_reading_never_makes_a_database(paths: RunPaths) -> None:
    with pytest.raises(NotReady):
        open_reader(paths)
    assert not paths.db.exists()


def test_half_made_database_is_not_ready(paths: RunPaths) -> None:
    paths.db.touch()
    with pytest.raises(NotReady):
        open_reader(paths)
    assert status_of(paths).state == "crashed"
    open_writer(paths).close()
    open_reader(paths).close()


def test_garbage_is_named(paths: RunPaths) -> None:
    paths.db.write_bytes(b"this is no database" * 100)
    for opens in (open_reader, status_of):
        with pytest.raises(UserError, match=r"damaged.*resume night"):
            opens(paths)


def test_damage_found_later_is_named_too(paths: RunPaths) -> None:
    with open_writer(paths) as writer:
        for step in range(300):
            writer.scalars("stage_a", step, {f"tag{n}": 1.0 for n in range(10)})
    content = bytearray(paths.db.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    paths.db.write_bytes(content)
    with open_reader(paths) as reader, pytest.raises(UserError, match=r"run\.db"):
        list(reader.scalars())


def test_reading_leaves_the_tables_of_a_living_older_engine(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = schema.MIGRATIONS[:1]
    with EngineLock.take(paths):
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", older)
            patch.setattr(schema.migrate, "__defaults__", (older,))
            schema.connect_writer(paths.db).close()
        with sqlite3.connect(paths.db) as connection:
            connection.execute(
                "INSERT INTO event VALUES (1, 1, 0, 'state', 'info', 1, 1, 'training', '', '{}', 1)"
            )
            connection.execute("INSERT INTO progress VALUES (1, 1, 0, 1, 7, 9, 0, 1, 1, 1, 1, 1, '', 0, 1)")
        with open_reader(paths) as reader:
            assert reader.status().step == 7
        assert version(paths) == 1
    with open_reader(paths) as reader:
        assert reader.status().step == 7
    assert version(paths) == len(schema.MIGRATIONS)


def test_existing_open_file_is_not_loosened(paths: RunPaths) -> None:
    open_writer(paths).close()
    assert stat.S_IMODE(paths.db.stat().st_mode) == 0o600


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
@pytest.mark.parametrize("opens", [open_writer, open_reader])
def test_what_is_no_file_is_named_and_not_waited_for(
    paths: RunPaths, opens: Opens, make: Callable[[Path], None]
) -> None:
    make(paths.db)
    with pytest.raises(UserError, match=r"run\.db.*is a (directory|named pipe), not a plain file"):
        opens(paths)


class TakesBack(sqlite3.Connection):
    """What SQLite itself does where the disk has no room in the midst of a transaction."""

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement.startswith("CREATE TABLE tag"):
            super().execute("ROLLBACK")
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(statement, *values)


def test_no_room_for_the_tables_is_said_as_it_is(paths: RunPaths) -> None:
    full = pytest.raises(sqlite3.OperationalError, match="database or disk is full")
    with closing(sqlite3.connect(paths.db, isolation_level=None, factory=TakesBack)) as connection, full:
        schema.migrate(connection, paths.db)
    open_writer(paths).close()
