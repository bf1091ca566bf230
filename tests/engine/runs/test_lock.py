"""The lock as proof of life, between real processes."""

import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from engine.errors import UserError
from engine.runs.layout import RunPaths
from engine.runs.lock import LOCK_FD_VARIABLE, EngineLock, lock_holder, own_attempt, process_started

Script = Callable[[str], Any]

HOLD = """
from engine.runs.lock import EngineLock
lock = EngineLock.acquire(paths)
print("held", flush=True)
sys.stdin.read()
"""


def pid_of_holder(paths: RunPaths) -> int | None:
    holder = lock_holder(paths)
    assert holder is not None
    return holder.pid


def test_free_without_a_file(paths: RunPaths) -> None:
    assert lock_holder(paths) is None
    assert not paths.lock.exists()


def test_holder_is_seen_from_outside_and_gone_when_killed(paths: RunPaths, script: Script) -> None:
    engine = script(HOLD)
    assert engine.stdout.readline() == "held\n"
    holder = lock_holder(paths)
    assert holder is not None and holder.pid == engine.pid and holder.purpose == "run"
    os.kill(engine.pid, signal.SIGKILL)
    engine.wait()
    assert lock_holder(paths) is None


def test_taken_lock_is_refused_with_its_pid(paths: RunPaths, script: Script) -> None:
    engine = script(HOLD)
    engine.stdout.readline()
    with pytest.raises(UserError, match=f"already in use by pid {engine.pid}"):
        EngineLock.take(paths, retry_seconds=0.1)


def test_taking_outlasts_a_reader(paths: RunPaths) -> None:
    EngineLock.take(paths).close()
    reader = os.open(paths.lock, os.O_RDONLY)
    fcntl.flock(reader, fcntl.LOCK_SH)
    threading.Timer(0.2, os.close, (reader,)).start()
    EngineLock.take(paths).close()


def test_holder_of_a_reused_pid_is_unknown(paths: RunPaths) -> None:
    with EngineLock.take(paths) as lock:
        lock.record(os.getpid(), "run", 3)
        assert pid_of_holder(paths) == os.getpid()
        record = json.loads(paths.lock.read_text())
        record["started"] -= 100
        paths.lock.write_text(json.dumps(record))
        assert lock_holder(paths) is not None
        assert pid_of_holder(paths) is None


def test_unreadable_record_still_counts_as_held(paths: RunPaths) -> None:
    with EngineLock.take(paths):
        paths.lock.write_text("{half")
        assert pid_of_holder(paths) is None


def test_forked_child_does_not_keep_the_lock(paths: RunPaths, script: Script) -> None:
    engine = script(
        """
        import os, time
        from engine.runs.lock import EngineLock
        lock = EngineLock.acquire(paths)
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        print(child, flush=True)
        sys.stdin.read()
        """
    )
    child = int(engine.stdout.readline())
    try:
        assert lock_holder(paths) is not None
        os.kill(engine.pid, signal.SIGKILL)
        engine.wait()
        deadline = time.monotonic() + 5
        while lock_holder(paths) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process_started(child) is not None
        assert lock_holder(paths) is None
    finally:
        os.kill(child, signal.SIGKILL)


def test_executed_child_does_not_keep_the_lock(paths: RunPaths, script: Script) -> None:
    engine = script(
        """
        import subprocess
        from engine.runs.lock import EngineLock
        lock = EngineLock.acquire(paths)
        child = subprocess.Popen(["sleep", "60"], close_fds=False, stdout=subprocess.DEVNULL)
        print(child.pid, flush=True)
        sys.stdin.read()
        """
    )
    child = int(engine.stdout.readline())
    try:
        os.kill(engine.pid, signal.SIGKILL)
        engine.wait()
        assert lock_holder(paths) is None
    finally:
        os.kill(child, signal.SIGKILL)


def test_wrong_descriptor_is_refused(paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    paths.lock.touch()
    for text in ("0", "999", "x"):
        monkeypatch.setenv(LOCK_FD_VARIABLE, text)
        with pytest.raises(UserError, match=LOCK_FD_VARIABLE):
            EngineLock.acquire(paths)


def test_own_attempt_is_only_this_process_s(paths: RunPaths, script: Script) -> None:
    assert own_attempt(paths) is None
    with EngineLock.take(paths) as lock:
        lock.record(os.getpid(), "run", 7)
        assert own_attempt(paths) == 7
        lock.record(os.getppid(), "run", 7)
        assert own_attempt(paths) is None


def test_lock_file_is_private(paths: RunPaths) -> None:
    EngineLock.take(paths).close()
    assert paths.lock.stat().st_mode & 0o077 == 0
