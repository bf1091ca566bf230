"""How a download stands, kept for others to read: the state file, written no more often than they look."""

import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace

from engine.download.model_download import Download, FileProgress, FileState, State, write_download

#: Seconds between two writings of the state file, and those that the rate is reckoned over.
STATE_SECONDS = 0.5
RATE_SECONDS = 20.0


class Standing:
    """The state of one download; several threads may tell it."""

    def __init__(self, download: Download) -> None:
        self.download = download
        self._lock = threading.RLock()
        self._written = 0.0
        self._arrived: deque[tuple[float, int]] = deque()

    def list(self, commit: str, files: tuple[FileProgress, ...]) -> None:
        """What there is to fetch."""
        with self._lock:
            self.download = replace(self.download, commit=commit, files=files)

    def progress(self, path: str, done: int, state: FileState, total: int | None = None) -> None:
        """How far one of the listed files is. total: its bytes, where they were not known or only estimated."""
        with self._lock:
            files = tuple(
                replace(one, done=done, state=state, bytes=one.bytes if total is None else total)
                if one.path == path
                else one
                for one in self.download.files
            )
            self.download = replace(self.download, files=files)

    def drop(self, path: str) -> None:
        """It turned out that there is no such file."""
        with self._lock:
            files = tuple(one for one in self.download.files if one.path != path)
            self.download = replace(self.download, files=files)

    def tell(self, state: State, message: str = "", sparsely: bool = False) -> None:
        """Write the state; `sparsely`: not more often than a reader looks."""
        with self._lock:
            now = time.monotonic()
            if sparsely and now - self._written < STATE_SECONDS:
                return
            self._written = now
            rate = self._rate(now) if state == "fetching" else None
            left = max(0, self.download.total - self.download.done) / rate if rate else None
            self.download = replace(
                self.download, state=state, message=message, bytes_per_second=rate, seconds_left=left
            )
            write_download(self.download)

    def end(self, state: State, message: str, usage: bool = False) -> None:
        """The last word. On a full disk even that may fail; then the free lock says that nobody is at work."""
        with self._lock:
            self.download = replace(
                self.download,
                state=state, message=message, usage=usage, pid=None, bytes_per_second=None, seconds_left=None,
            )  # fmt: skip
            with suppress(OSError):
                write_download(self.download)

    def _rate(self, now: float) -> float | None:
        """Bytes a second over the last while."""
        done = self.download.done
        if self._arrived and self._arrived[-1][1] > done:
            self._arrived.clear()
        self._arrived.append((now, done))
        while now - self._arrived[0][0] > RATE_SECONDS:
            self._arrived.popleft()
        began, then = self._arrived[0]
        return (done - then) / (now - began) if now - began >= STATE_SECONDS else None
