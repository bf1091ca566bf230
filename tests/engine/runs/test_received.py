"""A run directory received from elsewhere: nothing of it leads out, and nothing in it is waited for."""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock, lock_holder
from engine.runs.process import launch
from engine.runs.store.opening import open_reader, open_writer, status_of
from engine.runs.store.schema import LONGEST_VALUE, Damaged

FILES = ("config.yaml", "run.db", "run.db-wal", "run.db-journal", "training.log", "engine.lock")


@pytest.fixture
def received(paths: RunPaths) -> RunPaths:
    """A run that an engine has written something into."""
    with open_writer(paths) as writer:
        writer.open_attempt()
        writer.scalars("stage_a", 1, {"train/loss": 2.0})
        writer.state("parked")
    return paths


@pytest.mark.parametrize("name", [*FILES, "checkpoints"])
@pytest.mark.parametrize("there", [True, False], ids=["to something", "to nothing"])
def test_a_link_in_it_is_refused_before_anything_is_written(
    received: RunPaths, tmp_path: Path, name: str, there: bool
) -> None:
    target, link = tmp_path / "target", received.root / name
    if there:
        (target.mkdir if name == "checkpoints" else target.touch)()
    if name == "checkpoints":
        link.rmdir()
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    before = {path.name for path in received.root.iterdir()}
    with pytest.raises(UserError, match=rf"{name} is a link"):
        launch(received, [sys.executable, "-c", ""])
    assert {path.name for path in received.root.iterdir()} == before
    if there and name != "checkpoints":
        assert target.read_bytes() == b""
    else:
        assert target.exists() == there


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_in_it_is_refused_and_not_waited_for(received: RunPaths, name: str) -> None:
    (received.root / name).unlink(missing_ok=True)
    os.mkfifo(received.root / name)
    with pytest.raises(UserError, match=rf"{name} is a named pipe"):
        EngineLock.take(received)
    if name == "engine.lock":
        with pytest.raises(UserError, match="is a named pipe"):
            lock_holder(received)
    elif name.startswith("run.db"):
        with pytest.raises(UserError, match="is a named pipe"):
            open_reader(received)
    else:
        assert status_of(received).state == "parked"


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"


@pytest.mark.parametrize(
    "statements",
    [
        [
            "ALTER TABLE scalar RENAME TO old",
            f"CREATE VIEW scalar AS {ENDLESS} SELECT i AS stage, i AS tag, i AS step, 1 AS attempt, "
            "0.0 AS wall_time, 1.0 AS value FROM n",
        ],
        [
            "ALTER TABLE event RENAME TO old",
            f"CREATE VIEW event AS {ENDLESS} SELECT i AS id, 1 AS attempt, 0.0 AS wall_time, 'state' AS kind, "
            "'info' AS level, NULL AS stage, NULL AS step, 'parked' AS name, '' AS message, '{}' AS data, "
            "1 AS counts FROM n WHERE i < 0",
        ],
        [
            f"CREATE TRIGGER t AFTER INSERT ON attempt BEGIN INSERT INTO tag (name) {ENDLESS} SELECT i FROM n; END"
        ],
        [
            "ALTER TABLE stage RENAME TO old",
            f"CREATE VIEW stage AS {ENDLESS} SELECT i AS id, i AS name, 1 AS position, '' AS plan FROM n",
        ],
    ],
    ids=["scalar", "event", "trigger", "stage"],
)
def test_a_view_that_never_ends_is_not_asked(received: RunPaths, statements: list[str]) -> None:
    with closing(sqlite3.connect(received.db, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    with pytest.raises(Damaged, match="its tables are not those it was made with"):
        open_reader(received)
    with open_writer(received) as writer:  # keeps it aside, and what it can read of it
        writer.open_attempt()
    with open_reader(received) as reader:
        assert "kept aside as run.db.damaged-1" in reader.last_events(5, kinds=("alert",))[-1].message


def test_a_text_without_end_is_not_read(received: RunPaths) -> None:
    with closing(sqlite3.connect(received.db, isolation_level=None)) as connection:
        connection.execute(f"UPDATE event SET message = zeroblob({LONGEST_VALUE + 1})")
    with open_reader(received) as reader, pytest.raises(Damaged, match="too big"):
        reader.status()


def test_a_run_that_is_itself_linked_is_a_run(received: RunPaths, tmp_path: Path) -> None:
    """As people put them on a larger disk."""
    linked = RunPaths(tmp_path / "linked")
    linked.root.symlink_to(received.root)
    with EngineLock.take(linked):
        assert status_of(linked).live


def test_an_attempt_is_counted_on_where_the_record_was_lost(paths: RunPaths) -> None:
    for _ in range(3):
        launch(paths, [sys.executable, "-c", ""])
        with EngineLock.take(paths, retry_seconds=30):
            pass
    for path in paths.root.glob("run.db*"):
        path.unlink()
    launch(paths, [sys.executable, "-c", ""])
    with EngineLock.take(paths, retry_seconds=30), open_reader(paths) as reader:
        assert reader.status().attempt == 4
