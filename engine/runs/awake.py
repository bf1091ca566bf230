"""The machine does not go to sleep under an engine; its display may, and on macOS must (the GPU is slowed by it)."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from engine.child import end

log = logging.getLogger("engine")


@contextmanager
def kept_awake() -> Iterator[None]:
    """No idle sleep inside the `with`, where the system has a program for that. Ends with this process, however."""
    helper = _start(inhibitor(os.getpid()))
    try:
        yield
    finally:
        if helper:
            if helper.stdin:
                helper.stdin.close()
            end(helper)


def _start(command: list[str] | None) -> subprocess.Popen[bytes] | None:
    if command is None:
        return None
    try:
        # The inhibitor on Linux reads our end of a pipe that never writes: it sees the end of it when we die.
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:  # better a machine that may fall asleep than no training
        log.warning("the machine may go to sleep: %s: %s", command[0], error.strerror)
        return None


def inhibitor(pid: int, platform: str = sys.platform) -> list[str] | None:
    """The command that keeps the machine awake while process `pid` lives; None where there is none."""
    if platform == "darwin" and (caffeinate := shutil.which("caffeinate")):
        return [caffeinate, "-i", "-w", str(pid)]
    if platform == "linux" and (inhibit := shutil.which("systemd-inhibit")):
        why = "--why=a run is training"
        return [inhibit, "--what=sleep", "--mode=block", "--who=cxr-cockpit", why, "cat"]
    return None
