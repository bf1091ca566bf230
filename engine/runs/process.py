"""Starting an engine so that nothing that happens to its launcher touches it."""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence

from engine.errors import UserError
from engine.files.plain_file import open_descriptor
from engine.runs.layout import RunPaths
from engine.runs.lock import LOCK_FD_VARIABLE, EngineLock
from engine.runs.status import ATTEMPT_MARK
from engine.runs.store.opening import open_writer
from engine.runs.trash import empty_trash


def engine_argv(paths: RunPaths, *options: str) -> list[str]:
    """The command line of the run's engine, by the interpreter that runs now."""
    return [sys.executable, "-P", "-m", "engine", "run", str(paths.root), *options]


def launch(paths: RunPaths, argv: Sequence[str] | None = None) -> int:
    """Start the run's engine, detached, and return its pid. UserError if the run is in use or it cannot.

    The lock is taken here and its descriptor handed over, and the state is `preparing` (first start) or
    `starting` before the process exists: there is no moment at which the run looks dead.
    """
    with EngineLock.take(paths) as lock:
        last = lock.last_attempt()  # the lock's file knows it where run.db was lost
        lock.record(os.getpid(), "run", None)
        with open_writer(paths, thorough=True) as writer:
            state = "starting" if writer.attempt or last else "preparing"
            attempt = writer.open_attempt(after=last)
            writer.state(state)
            lock.record(os.getpid(), "run", attempt)
            for complaint in empty_trash(paths.root.parent):
                writer.event("alert", complaint, level="warn")
            try:
                child = _spawn(paths, argv or engine_argv(paths), lock, attempt)
            except OSError as error:
                writer.state("failed", f"the engine could not be started: {error}")
                raise UserError(f"the engine could not be started: {error}") from None
        lock.record(child.pid, "run", attempt)
    # While the launcher lives, someone must collect the child, or it stays behind as a zombie.
    threading.Thread(target=child.wait, name=f"reap-{child.pid}", daemon=True).start()
    return child.pid


def _spawn(paths: RunPaths, argv: Sequence[str], lock: EngineLock, attempt: int) -> subprocess.Popen[bytes]:
    log = open_descriptor(paths.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, links=False)
    try:
        os.write(log, f"{ATTEMPT_MARK}{attempt} ===\n".encode())
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock.descriptor,),
            umask=0o077,
            env=os.environ | {LOCK_FD_VARIABLE: str(lock.descriptor)},
        )
    finally:
        os.close(log)
