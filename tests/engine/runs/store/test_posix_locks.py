"""Whoever closes a descriptor of a file drops every POSIX lock that the process has on it, SQLite's too."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock
from engine.runs.store.opening import open_reader, open_writer
from engine.runs.store.reader import RunReader
from engine.runs.store.schema import Damaged

ROUNDS = 200

#: An engine of one attempt a line: it takes the lock, writes and parks, for all it knows the last user of the file.
ENGINE = """
import sys
from pathlib import Path
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock
from engine.runs.store.opening import open_writer
paths = RunPaths(Path(sys.argv[1]))
for line in sys.stdin:
    with EngineLock.take(paths), open_writer(paths) as writer:
        writer.open_attempt()
        for step in range(30):
            writer.scalars("stage_a", int(line) * 30 + step, {"train/loss": 1.0})
        writer.state("parked")
    print(line, end="", flush=True)
"""


def holds_lock(path: Path) -> bool:
    """Whether this process has a POSIX lock on the file, as the kernel says."""
    inode = path.stat().st_ino
    return any(
        fields[1] == "POSIX" and int(fields[4]) == os.getpid() and fields[5].endswith(f":{inode}")
        for fields in map(str.split, Path("/proc/locks").read_text().splitlines())
        if fields[1] != "->"
    )


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux tells who holds which lock")
def test_a_writer_beside_a_reader_leaves_its_locks_alone(paths: RunPaths) -> None:
    open_writer(paths).close()
    with open_reader(paths) as reader:
        reader.status()
        assert holds_lock(paths.db)
        open_writer(paths).close()
        assert holds_lock(paths.db)


def test_the_log_is_not_taken_away_under_a_reader(paths: RunPaths) -> None:
    """Start, park, look, over and over, with the app's reader open all the while."""
    open_writer(paths).close()
    command = [sys.executable, "-P", "-c", ENGINE, str(paths.root)]
    with (
        open_reader(paths) as reader,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as engine,
    ):
        assert engine.stdin and engine.stdout
        log = paths.db.with_name("run.db-wal")
        first = None
        for turn in range(ROUNDS):
            with EngineLock.take(paths), open_writer(paths) as writer:  # what starts an engine does so
                writer.state("starting")
            engine.stdin.write(f"{turn}\n")
            engine.stdin.flush()
            assert engine.stdout.readline() == f"{turn}\n"
            assert reader.status().state == "parked"
            assert reader.recent("train/loss", "stage_a", limit=1) == [(turn * 30 + 29, 1.0)]
            first = first or log.stat().st_ino
            assert log.stat().st_ino == first, f"the log was removed in round {turn}"
        engine.stdin.close()
    with closing(sqlite3.connect(paths.db)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_reader_looks_anew_before_it_accuses_the_file(
    paths: RunPaths,
) -> None:
    with open_writer(paths) as writer:
        writer.state("training")
        writer.scalars("stage_a", 1, {"train/loss": 2.0})
        with open_reader(paths) as reader:
            other = paths.root / "other"
            other.write_bytes(b"no database at all" * 100)
            for look in (
                lambda: reader.recent("train/loss", "stage_a"),
                lambda: reader.last_events(5),
                lambda: reader.series("train/loss", "stage_a"),
                lambda: reader.status(),
            ):
                reader._connection.close()
                reader._connection = sqlite3.connect(other, isolation_level=None)
                assert look()


def test_nobody_is_told_to_resume_while_an_engine_lives(paths: RunPaths) -> None:
    open_writer(paths).close()
    paths.db.write_bytes(b"no database at all" * 100)
    with EngineLock.take(paths), pytest.raises(Damaged) as caught:
        RunReader(paths)
    assert "cxr-cockpit resume" not in str(caught.value) and "engine lives" in str(caught.value)
    with pytest.raises(Damaged, match="cxr-cockpit resume night"):
        RunReader(paths)
