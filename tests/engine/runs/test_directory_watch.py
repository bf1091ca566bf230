"""The log and the lock of a living engine, when somebody tidies up under it."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock, TakenOver
from engine.runs.pinned_paths import PinnedPaths, RunRemoved

ENGINE = """
from engine.runs import directory_watch
from engine.runs.lock import EngineLock
directory_watch.LOOK_SECONDS = 0.0
told = []
with EngineLock.take(paths) as lock:
    keeping = directory_watch.DirectoryWatch(paths, lock, told.append)
    for line in sys.stdin:
        keeping.look()
        print("said", line.strip(), told, file=sys.stderr, flush=True)
        print(line.strip(), file=answers, flush=True)
"""


@pytest.mark.parametrize("harm", ["removed", "moved", "replaced by a link"])
def test_a_log_that_is_gone_is_begun_anew(paths: RunPaths, tmp_path: Path, harm: str) -> None:
    code = f"""
import os, sys
from pathlib import Path
from engine.runs.layout import RunPaths
paths = RunPaths(Path({str(paths.root)!r}))
answers = os.fdopen(os.dup(1), "w")
log = os.open(paths.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
os.dup2(log, 1); os.dup2(log, 2)
{ENGINE}"""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as engine:
        assert engine.stdin and engine.stdout

        def let_it_look(word: str) -> None:
            assert engine.stdin and engine.stdout
            engine.stdin.write(f"{word}\n")
            engine.stdin.flush()
            assert engine.stdout.readline() == f"{word}\n"

        let_it_look("first")
        assert paths.log.read_text() == "said first []\n"
        elsewhere = tmp_path / "elsewhere"
        if harm == "removed":
            paths.log.unlink()
        else:
            paths.log.rename(elsewhere)
        if harm == "replaced by a link":
            paths.log.symlink_to(elsewhere)
            let_it_look("second")
            let_it_look("and once more")
            paths.log.unlink()
        let_it_look("third")
        said = paths.log.read_text()
        assert said.startswith("said third [") and "training.log was removed or replaced: a new one" in said
        assert said.count("cannot begin") == (harm == "replaced by a link")
        assert paths.log.stat().st_mode & 0o777 == 0o600
        engine.stdin.close()


def test_a_lock_taken_by_another_under_the_same_name_is_not_fought_for(
    paths: RunPaths,
) -> None:
    with EngineLock.take(paths) as lock:
        assert not lock.renew()
        paths.lock.unlink()
        assert lock.renew() and not lock.renew()
        paths.lock.unlink()
        with EngineLock.take(paths), pytest.raises(TakenOver, match="another process has it now"):
            lock.renew()


def test_a_held_directory_is_found_wherever_it_is_moved(paths: RunPaths) -> None:
    held = PinnedPaths(paths.root)
    assert held == paths and held.db == paths.db
    moved = paths.root.with_name("moved (deleted)")
    paths.root.rename(moved)
    assert held.db == moved / "run.db" and held.name == "moved (deleted)"
    moved.rename(paths.root)
    assert held.root == paths.root
    paths.checkpoints.rmdir()
    paths.root.rmdir()
    with pytest.raises(RunRemoved, match="was removed"):
        _ = held.root
    paths.root.mkdir()
    with pytest.raises(RunRemoved):
        _ = held.lock
    held.close()
