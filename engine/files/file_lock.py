"""The kernel's lock on an open file: it is dropped however the process ends, which no pid file is."""

import fcntl
import time

_POLL_SECONDS = 0.02


def try_lock(descriptor: int, shared: bool = False) -> bool:
    """Whether the lock is ours now, shared with others or not. Never waits.

    Raises `OSError` where the file system knows no locks.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_within(descriptor: int, seconds: float) -> bool:
    """Whether the lock became ours within that time: who looks at it holds it for an instant."""
    deadline = time.monotonic() + seconds
    while not try_lock(descriptor):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
