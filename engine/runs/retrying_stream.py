"""Standard output and error of an engine, which end in training.log: a full disk must not end the engine."""

import io
import logging
import os
import sys
from collections import deque
from typing import Any

from engine.words.printable import one_line, printable

#: Characters that wait for room; past it the oldest lines are given up, and counted.
BOUND = 1_000_000


class RetryingStream(io.TextIOBase):
    """Text for a descriptor. What finds no room waits, in order, until it does; nothing is raised."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._lost = 0

    def write(self, text: str) -> int:
        if text:
            self._waiting.append(printable(text.expandtabs()).encode(self.encoding, self.errors))
            self._size += len(self._waiting[-1])
            self.flush()
            self._keep_within_bound()
        return len(text)

    def flush(self) -> None:
        """Write what waits, as far as there is room."""
        try:
            if self._lost and self._waiting:
                told = f"\n[{self._lost} pieces of this log found no room on the disk]\n".encode()
                # Whole or not at all: it is a line of ours, and it comes once.
                if os.write(self._descriptor, told) == len(told):
                    self._lost = 0
            while self._waiting:
                piece = self._waiting[0]
                written = os.write(self._descriptor, piece)
                self._size -= written
                if written == len(piece):
                    self._waiting.popleft()
                else:
                    self._waiting[0] = piece[written:]
        except OSError:
            return

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def _keep_within_bound(self) -> None:
        while self._size > BOUND and len(self._waiting) > 1:
            self._size -= len(self._waiting.popleft())
            self._lost += 1


class OneLine(logging.Formatter):
    """A record is one line, whatever a message brings along; what follows it of a traceback is set in."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = one_line(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        return "\n".join(f"  {line}" for line in super().formatException(ei).split("\n"))


def outlast_full_disk() -> None:
    """Let this process's standard output and error wait where the disk is full."""
    sys.stdout.flush()
    sys.stderr.flush()
    stream = RetryingStream(sys.stderr.fileno())
    sys.stderr = stream
    sys.stdout = RetryingStream(sys.stdout.fileno())
