"""What an engine looks after while it lives: that its directory, lock and log are still those it began with."""

import os
import time
from collections.abc import Callable

from engine.files.plain_file import open_descriptor
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock

LOOK_SECONDS = 1.0
_STANDARD_STREAMS = (1, 2)


class DirectoryWatch:
    """Looks once a second, when called between two pieces of work; what it had to do is told to `alert`.

    run.db is looked after by its writer.
    """

    def __init__(self, paths: RunPaths, lock: EngineLock, alert: Callable[[str], None]) -> None:
        self._paths, self._lock, self._alert = paths, lock, alert
        self._root = paths.root
        self._owns_log = _writes_to(paths)
        self._said_of_log = ""
        self._looked_at = time.monotonic()

    def look(self) -> None:
        """Raises RunRemoved where the directory was removed, TakenOver where another engine has the run by now."""
        if time.monotonic() < self._looked_at + LOOK_SECONDS:
            return
        root = self._paths.root
        if root != self._root:
            self._alert(f"the run's directory was moved from {self._root} to {root}: the run goes on there")
            self._root = root
        if self._lock.renew():
            self._alert("engine.lock was removed or replaced: it is held anew")
        if self._owns_log and not _writes_to(self._paths):
            self._begin_log()
        self._looked_at = time.monotonic()

    def _begin_log(self) -> None:
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            descriptor = open_descriptor(self._paths.log, flags, links=False)
        except OSError as error:
            self._tell_of_log(f"training.log was replaced, and a new one cannot begin: {error}")
            return
        for stream in _STANDARD_STREAMS:
            os.dup2(descriptor, stream)
        os.close(descriptor)
        self._tell_of_log("training.log was removed or replaced: a new one begins")

    def _tell_of_log(self, said: str) -> None:
        if said != self._said_of_log:  # not every second
            self._alert(said)
        self._said_of_log = said


def _writes_to(paths: RunPaths) -> bool:
    """Whether this process's standard error ends in the run's log; an engine that is tried by hand has its own."""
    try:
        return os.path.samestat(os.fstat(_STANDARD_STREAMS[1]), paths.log.lstat())
    except OSError:
        return False
