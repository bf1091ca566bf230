"""How far long work is, on standard error: redrawn in place on a terminal, a line now and then elsewhere."""

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

from engine.standard_streams import beneath
from engine.words.durations import duration
from engine.words.printable import as_line

#: Seconds between two lines where none can be redrawn, and between two drawings where they can.
SPARSE_SECONDS = 10.0
DRAWN_SECONDS = 0.1


class Progress:
    """Called with what is done, how much of it and of how much; 0 of 0 where that is not known."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = beneath(stream or sys.stderr)
        self._clock = clock
        self._terminal = self._stream.isatty()
        self._what = ""
        self._began = self._told = clock()  # so that elsewhere than on a terminal short work says nothing

    def __call__(self, what: str, done: int, total: int) -> None:
        now = self._clock()
        fresh = what != self._what
        if fresh:
            self._what, self._began = what, now
        if self._terminal:
            due = fresh or done >= total > 0 or now - self._told >= DRAWN_SECONDS
        else:
            due = now - self._told >= SPARSE_SECONDS
        if not due:
            return
        self._told = now
        line = as_line(progress_line(what, done, total, now - self._began))
        if self._terminal:  # in the last column it would begin another line
            line = f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}"
        self._stream.write(line if self._terminal else f"{line}\n")
        self._stream.flush()

    def close(self) -> None:
        """Take the line away: what came of the work is told next."""
        if self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def progress_line(what: str, done: int, total: int, seconds: float) -> str:
    """`films 120/900   41/s   left 19 s`; the name alone where it is not known how much there is."""
    line = f"{what} {done:,}/{total:,}" if total else what
    if not done or seconds < 0.5:
        return line
    rate = done / seconds
    return f"{line}   {rate:,.{0 if rate >= 10 else 1}f}/s   left {duration((total - done) / rate)}"
