"""How far long work is, on standard error: redrawn in place on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

#: Seconds between two lines where none can be redrawn, and between two drawings where they can.
SPARSE_SECONDS = 10.0
DRAWN_SECONDS = 0.1


class Progress:
    """Called with what is done, how much of it and of how much; 0 of 0 where that is not known."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._terminal = self._stream.isatty()
        self._what = ""
        self._began = self._told = clock()

    def __call__(self, what: str, done: int, total: int) -> None:
        now = self._clock()
        fresh = what != self._what
        if fresh:
            self._what, self._began = what, now
        if self._terminal:
            due = fresh or done >= total or now - self._told >= DRAWN_SECONDS
        else:
            due = now - self._told >= SPARSE_SECONDS
        if not due:
            return
        self._told = now
        line = progress_line(what, done, total, now - self._began)
        self._stream.write(f"\r\x1b[K{line}" if self._terminal else f"{line}\n")
        self._stream.flush()

    def close(self) -> None:
        """Take the line away: what came of the work is told next."""
        if self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def progress_line(what: str, done: int, total: int, seconds: float) -> str:
    """`writing tensors 120/686   left 40 s`"""
    if not total:
        return what
    line = f"{what} {done:,}/{total:,}"
    if not done or seconds < 0.5:
        return line
    left = (total - done) * seconds / done
    return f"{line}   left {left / 60:.0f} min" if left >= 90 else f"{line}   left {left:.0f} s"
