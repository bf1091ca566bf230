"""Launching engines: detached, and with no moment at which the run looks dead."""

import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable

import pytest

from engine.errors import UserError
from engine.runs.layout import RunPaths
from engine.runs.lock import LOCK_FD_VARIABLE, lock_holder
from engine.runs.process import engine_argv, launch
from engine.runs.store.opening import open_reader, status_of

ENGINE = """
import os, sys, time
from pathlib import Path
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock
from engine.runs.store.opening import open_writer
time.sleep(0.3)  # stands for slow imports: the lock is held all the while
paths = RunPaths(Path(sys.argv[1]))
lock = EngineLock.acquire(paths)
assert "CXR_LOCK_FD" not in os.environ and not os.get_inheritable(lock.descriptor)
store = open_writer(paths)
store.open_attempt()
store.begin_attempt("stage_a", 0, {})
store.state("training")
print("session", os.getsid(0), "umask", oct(os.umask(0)), flush=True)
while not [store.finish_command(c.id, "parked", True) for c in store.take_commands()]:
    time.sleep(0.01)
store.state("parked")
"""


def argv(paths: RunPaths, code: str = ENGINE) -> list[str]:
    return [sys.executable, "-c", code, str(paths.root)]


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_a_starting_run_never_looks_dead(paths: RunPaths) -> None:
    seen: list[tuple[str, int | None]] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            if paths.db.exists():
                status = status_of(paths)
                seen.append((status.state, status.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    pid = launch(paths, argv(paths))
    wait_for(lambda: status_of(paths).state == "training")
    stop.set()
    watcher.join()
    assert {state for state, _ in seen} <= {"preparing", "training"}
    assert {holder for _, holder in seen} <= {None, os.getpid(), pid}
    holder = lock_holder(paths)
    assert holder is not None and holder.pid == pid

    with open_reader(paths) as reader:
        assert reader.wait_outcome(reader.request("park"), timeout=5).state == "done"
    wait_for(lambda: lock_holder(paths) is None)
    assert status_of(paths).state == "parked"
    words = paths.log.read_text().split()
    assert words == ["===", "attempt", "1", "===", "session", str(pid), "umask", "0o77"]


def test_command_asked_before_the_engine_listens_is_carried_out(paths: RunPaths) -> None:
    launch(paths, argv(paths))
    with open_reader(paths) as reader:
        assert reader.status().state == "preparing"
        assert reader.wait_outcome(reader.request("park"), timeout=10) == ("done", "parked")
    wait_for(lambda: lock_holder(paths) is None)


def test_second_launch_is_refused(paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.runs.lock.EngineLock.take.__func__.__defaults__", (0.05,))
    pid = launch(paths, argv(paths))
    try:
        with pytest.raises(UserError, match=f"in use by pid {pid}"):
            launch(paths, argv(paths))
    finally:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: lock_holder(paths) is None)
    assert status_of(paths).state == "crashed"


def test_engine_that_dies_at_birth_is_a_crash_with_its_last_words(paths: RunPaths) -> None:
    launch(paths, argv(paths, "raise SystemExit('no torch here\\x1b[31m')"))
    wait_for(lambda: lock_holder(paths) is None)
    status = status_of(paths)
    assert status.state == "crashed"
    assert (status.error or "").endswith("no torch here [31m")


def test_last_words_are_this_attempt_s_and_no_routine(paths: RunPaths) -> None:
    launch(paths, argv(paths, "raise SystemExit('old words')"))
    wait_for(lambda: lock_holder(paths) is None)
    assert (status_of(paths).error or "").endswith("old words")
    chatter = "x.py:3: FutureWarning: old\n  warnings.warn(\n2026-11-23 06:31:33 INFO    loading\n"
    launch(paths, argv(paths, f"import sys; sys.stderr.write({chatter!r})"))
    wait_for(lambda: lock_holder(paths) is None)
    assert status_of(paths).error == "the engine ended without notice (last state: starting)"


def test_second_start_says_starting(paths: RunPaths) -> None:
    launch(paths, argv(paths, ""))
    wait_for(lambda: lock_holder(paths) is None)
    pid = launch(paths, argv(paths))
    try:
        assert status_of(paths).state == "starting"
        assert status_of(paths).attempt == 2
    finally:
        os.kill(pid, signal.SIGKILL)


def test_engine_that_cannot_start_is_a_failed_run(paths: RunPaths) -> None:
    with pytest.raises(UserError, match="could not be started"):
        launch(paths, ["/nowhere/python"])
    assert status_of(paths).state == "failed"
    assert lock_holder(paths) is None


def test_log_and_database_are_private(paths: RunPaths) -> None:
    launch(paths, argv(paths, ""))
    wait_for(lambda: lock_holder(paths) is None)
    for path in paths.root.iterdir():
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_engine_argv_is_isolated_from_the_working_directory(paths: RunPaths) -> None:
    assert engine_argv(paths, "--same-stage") == [
        sys.executable, "-P", "-m", "engine", "run", str(paths.root), "--same-stage",
    ]  # fmt: skip
    assert LOCK_FD_VARIABLE not in os.environ
