"""No room on the disk: what happens is kept in memory and stored, once and in order, when there is some."""

import logging
import os
import resource
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UserError
from engine.runs import retrying_stream
from engine.runs.layout import RunPaths, create_run
from engine.runs.retrying_stream import OneLine, RetryingStream
from engine.runs.store import database, pending_writes
from engine.runs.store.opening import RunWriter, open_reader, open_writer
from engine.runs.store.rows import GeneratedSample

SAMPLE = GeneratedSample(
    stage="stage_a", step=2, checkpoint=None, split="val", purpose="case", case="s1",
    image="a.jpg", prompt="Describe.", reference="Clear.", generated="Edema.", labels=None,
    labels_reference=None, icd=None, icd_reference=None, scores={},
)  # fmt: skip


class Disk:
    """A disk that is full from the n-th write on, for a while. `writes` counts what changes the file."""

    def __init__(self) -> None:
        self.writes = 0
        self.full: range = range(0)

    def take(self, statement: str) -> None:
        if statement.split(None, 1)[0].upper() not in ("INSERT", "UPDATE", "DELETE", "COMMIT", "BEGIN"):
            return
        self.writes += 1
        if self.writes in self.full:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """What every connection made from here on writes to; whatever waits is tried again with every write."""
    there = Disk()

    class Connection(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            there.take(statement)
            return super().execute(statement, *values)

        def executemany(self, statement: str, values: Any) -> sqlite3.Cursor:
            there.take(statement)
            return super().executemany(statement, values)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Connection))
    monkeypatch.setattr(database, "RETRY_SECONDS", 0.0)
    return there


def story(paths: RunPaths, writer: RunWriter) -> None:
    """A little of everything that an engine writes while it trains."""
    with open_reader(paths) as reader:
        reader._open()
    for step in range(1, 4):
        writer.scalars("stage_a", step, {"train/loss": 1.0 / step, "train/lr": float(step)})
        writer.progress("stage_a", step, 3, loss=1.0 / step)
        taken = writer.take_commands()
        for command in taken:
            writer.finish_command(command.id, f"did {command.verb}", ok=True)
    writer.sample(SAMPLE)
    writer.event("validation", "loss 0.3", stage="stage_a", step=3, loss=0.3)
    writer.checkpoint("stage_a-000003", "stage_a", 3, 100, kept=True)
    writer.scalars("stage_b", 1, {"train/loss": 0.5, "val/loss": 0.25})
    writer.scalars("stage_b", 1, {"val/loss": 0.125})  # told again
    writer.state("parked", "asked")


def content(paths: RunPaths) -> dict[str, list[tuple[Any, ...]]]:
    """All that is stored, but times and what is said of the wait."""
    queries = {
        "scalar": "SELECT stage.name, tag.name, step, attempt, value FROM scalar JOIN stage ON stage.id = stage "
        "JOIN tag ON tag.id = tag ORDER BY 1, 2, 3",
        "rollup": "SELECT level, bucket, step_lo, step_hi, finite, low, high, total FROM rollup ORDER BY 1, 2, 8",
        "event": "SELECT kind, name, stage, step, message, data FROM event WHERE kind <> 'alert' ORDER BY id",
        "sample": 'SELECT stage, step, "case", generated, counts FROM sample ORDER BY id',
        "command": "SELECT id, verb, state, outcome FROM command ORDER BY id",
        "progress": "SELECT step, steps, loss FROM progress",
    }
    connection = sqlite3.connect(paths.db)
    found = {name: [tuple(row) for row in connection.execute(query)] for name, query in queries.items()}
    connection.close()
    return found


def run_story(home: Path, disk: Disk, full: Callable[[int], range]) -> tuple[RunPaths, int]:
    paths = create_run(home, "night")
    with open_writer(paths) as writer:
        writer.open_attempt()
        writer.begin_attempt("stage_a", 0, {})
        writer._database.connection.execute(
            "INSERT INTO command (attempt, verb, arguments, who, asked) VALUES (1, 'save', '{}', 'me', 0)"
        )
        before = disk.writes
        disk.full = full(before)
        story(paths, writer)
        writes = disk.writes - before
        disk.full = range(0)
        writer.event("note", "there is room")
        assert writer.waiting == 0
    return paths, writes


@pytest.mark.parametrize("length", [1, 7, 10_000])
def test_full_at_every_write_nothing_is_doubled_or_missing(tmp_path: Path, disk: Disk, length: int) -> None:
    whole, writes = run_story(tmp_path / "whole", disk, lambda before: range(0))
    expected = content(whole)
    assert expected["command"] == [(1, "save", "done", "did save")] and len(expected["scalar"]) == 8
    assert writes > 40
    for number in range(1, writes + 1):

        def full(before: int, first: int = number) -> range:
            return range(before + first, before + first + length)

        paths, _ = run_story(tmp_path / str(number), disk, full)
        assert content(paths) == expected, f"full at write {number} for {length}"
        connection = sqlite3.connect(paths.db)
        (told,) = connection.execute("SELECT message FROM event WHERE kind = 'alert'").fetchone() or ("",)
        connection.close()
        assert "could not be written" in told and "nothing is lost" in told


def test_what_is_lost_beyond_the_bound_is_said(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_writes, "BOUND_BYTES", 10_000)
    paths = create_run(tmp_path, "night")
    with open_writer(paths) as writer:
        writer.open_attempt()
        disk.full = range(disk.writes + 1, 10**9)
        writer.state("training")
        for step in range(1, 101):
            writer.scalars("stage_a", step, {"train/loss": float(step)})
        kept = writer.waiting - 1
        writer.checkpoint("stage_a-000100", "stage_a", 100, 1, kept=False)
        disk.full = range(0)
        writer.state("parked")
    assert 10 < kept < 40
    with open_reader(paths) as reader:
        assert [row.step for row in reader.scalars()] == list(range(101 - kept, 101))
        (alert,) = reader.events(kinds=["alert"])
        assert f"lost are {100 - kept} steps' scalars" in alert.message
        assert [event.name for event in reader.events(kinds=["state", "checkpoint"])] == [
            "training", "stage_a-000100", "parked",
        ]  # fmt: skip


def test_an_attempt_that_cannot_be_stored_is_refused_in_one_line(tmp_path: Path, disk: Disk) -> None:
    paths = create_run(tmp_path, "night")
    with open_writer(paths) as writer:
        disk.full = range(disk.writes + 1, 10**9)
        with pytest.raises(UserError, match=r"cannot write .*run\.db: database or disk is full"):
            writer.open_attempt()
        disk.full = range(0)
        assert writer.open_attempt() == 1


def test_a_mistake_is_no_full_disk(tmp_path: Path, disk: Disk) -> None:
    with open_writer(create_run(tmp_path, "night")) as writer:
        writer._database.connection.execute("DROP TABLE progress")
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            writer.progress("stage_a", 1)


REAL = """
import resource, sqlite3, sys
from pathlib import Path
from engine.runs.store import database
from engine.runs.layout import create_run
from engine.runs.store.opening import open_reader, open_writer
database.RETRY_SECONDS = 0.0
home = Path(sys.argv[1])
waited = 0
for number, room in enumerate(range(0, 120_000, 9_000)):
    paths = create_run(home / "runs", f"r{number}")
    with open_writer(paths) as writer:
        writer.open_attempt()
        make_full(paths, room)
        for step in range(1, 120):
            writer.scalars("stage_a", step, {"a": float(step), "b": -float(step)})
            writer.event("note", f"step {step}")
        waited += writer.waiting > 0
        make_room(paths)
        writer.scalars("stage_a", 120, {"a": 120.0, "b": -120.0})
        assert writer.waiting == 0
    with open_reader(paths) as reader:
        assert [row.value for row in reader.scalars(["a"])] == [float(step) for step in range(1, 121)]
        notes = [event.message for event in reader.events(kinds=["note"])]
        assert notes == [f"step {step}" for step in range(1, 120)], notes
        assert reader._all("PRAGMA integrity_check")[0][0] == "ok"
assert waited > 5, waited
print("whole")
"""
FILE_SIZE = """
def make_full(paths, room):
    size = max(paths.db.stat().st_size, paths.db.with_name("run.db-wal").stat().st_size)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, resource.RLIM_INFINITY))
def make_room(paths):
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""
FULL_DISK = """
import shutil
def make_full(paths, room):
    free = shutil.disk_usage(home).free
    (home / "ballast").write_bytes(bytes(max(0, free - room - 16_384)))
def make_room(paths):
    (home / "ballast").unlink()
"""


def ran(code: str, home: Path, *before: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, "-c", code, str(home)], capture_output=True, text=True, timeout=120
    )


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """A real refusal of the system's, inside SQLite's own writes."""
    ended = ran(FILE_SIZE + textwrap.dedent(REAL), tmp_path)
    assert ended.stdout == "whole\n", ended.stderr


def test_a_file_system_that_is_full(tmp_path: Path) -> None:
    mount = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=3m none "$0" && exec "$@"', str(tmp_path)]
    try:
        allowed = subprocess.run([*mount, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("mounting is not allowed here")
    ended = ran(FULL_DISK + textwrap.dedent(REAL), tmp_path, *mount)
    assert ended.stdout == "whole\n", ended.stderr


# --- training.log ---------------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path) -> Iterator[tuple[Path, RetryingStream]]:
    path = tmp_path / "training.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    yield path, RetryingStream(descriptor)
    os.close(descriptor)


def test_the_log_waits_for_room_and_misses_nothing(
    log: tuple[Path, RetryingStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, stream = log
    lines = [f"line {number} ä\n" for number in range(200)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for number, line in enumerate(lines):
        if number == 20:
            resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 5, hard))
        try:
            stream.write(line)
        finally:
            if number == 150:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "".join(lines)


def test_a_log_that_waits_too_long_says_what_it_lost(
    log: tuple[Path, RetryingStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, stream = log
    monkeypatch.setattr(retrying_stream, "BOUND", 100)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        for number in range(50):
            stream.write(f"line {number:02}\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    stream.write("room\n")
    written = path.read_text().splitlines()
    assert written[1] == "[38 pieces of this log found no room on the disk]"
    assert written[2:] == [f"line {number:02}" for number in range(38, 50)] + ["room"]


def test_text_that_is_no_utf_8_is_logged(log: tuple[Path, RetryingStream]) -> None:
    path, stream = log
    stream.write("half a pair \ud83d\n")
    assert path.read_text() == "half a pair \ufffd\n"


def test_no_terminal_obeys_the_log(log: tuple[Path, RetryingStream]) -> None:
    path, stream = log
    stream.write("\x1b[2J\rgone\x9b\n\tset in\n")
    assert path.read_text() == "\ufffd[2J\ufffdgone\ufffd\n        set in\n"


def test_a_record_is_one_line_and_a_traceback_set_in() -> None:
    form = OneLine("%(levelname)s %(message)s")
    try:
        raise ValueError("first\nrm -rf ~\n\x1b]0;title\x07")
    except ValueError as error:
        record = logging.LogRecord("engine", logging.ERROR, "f.py", 1, "%s", (error,), sys.exc_info())
    first, *rest = form.format(record).split("\n")
    assert first == "ERROR first rm -rf ~ \ufffd]0;title\ufffd"
    assert len(rest) > 4 and all(line.startswith("  ") for line in rest)
