"""A log that grows, read by lines without holding it: where the lines begin is known, their text is read on need."""

from __future__ import annotations

import os
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path

from engine.files.plain_file import open_plain

MOST_BYTES = 64 * 1024**2
"""Of a longer log, only its end is looked at."""
CHUNK = 4 * 1024**2
LONGEST_LINE = 4000
"""Bytes of a line that are shown."""

_STAMP = rb"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S* +"
ERROR = re.compile(
    rb"^(?:" + _STAMP + rb"(?:ERROR|CRITICAL)\b"
    rb"|(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)\b(?::|$)"
    rb"|Fatal Python error|Segmentation fault|Killed\b|libc\+\+abi:|terminate called)"
)
WARNING = re.compile(rb"^(?:" + _STAMP + rb"WARNING\b|\S.*Warning: )")
_STAMPED = re.compile(rb"^" + _STAMP)
_NEW_ATTEMPT = re.compile(rb"^=== attempt \d+ ===")


class LogFile:
    """The lines of a file, indexed from its end backwards no further than MOST_BYTES."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity: tuple[int, int] | None = None
        self._begin = 0
        self._end = 0
        self._starts: array[int] = array("Q")
        self.errors: array[int] = array("Q")
        """Numbers of the lines that say what went wrong."""

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._starts)

    @property
    def left_out(self) -> int:
        """Bytes at the file's beginning that are not looked at."""
        return self._begin

    def refresh(self) -> bool:
        """Take up what was written since; True if anything was. A file that was replaced is read anew."""
        try:
            about = self._path.stat()
        except FileNotFoundError:
            changed = self._identity is not None
            self._forget()
            return changed
        identity = (about.st_dev, about.st_ino)
        if identity != self._identity or about.st_size < self._end:
            self._forget()
            self._identity = identity
            self._begin = self._end = max(0, about.st_size - MOST_BYTES)
        if about.st_size == self._end:
            return False
        with open_plain(self._path, "rb", links=False) as file:
            if self._begin and not self._starts:
                file.seek(self._begin - 1)
                file.readline()
                self._begin = self._end = file.tell()
            self._take_up(file.fileno())
        return True

    def line(self, number: int) -> bytes:
        """The bytes of a line, without its end."""
        return self.lines(number, number + 1)[0]

    def lines(self, first: int, last: int) -> list[bytes]:
        """The lines from `first` up to before `last`."""
        if first >= last:
            return []
        with open_plain(self._path, "rb", links=False) as file:
            found = []
            for number in range(first, last):
                start = self._starts[number]
                end = self._starts[number + 1] if number + 1 < self.count else self._end
                file.seek(start)
                found.append(file.read(min(end - start, LONGEST_LINE)).rstrip(b"\r\n"))
            return found

    def matching(self, pattern: re.Pattern[bytes], from_line: int = 0) -> Iterator[int]:
        """Numbers of the lines in which the pattern occurs, ascending."""
        number = from_line
        with open_plain(self._path, "rb", links=False) as file:
            if number < self.count:
                file.seek(self._starts[number])
            while number < self.count:
                upto = bisect_right(self._starts, self._starts[number] + CHUNK) - 1
                last = max(number + 1, upto) if upto + 1 < self.count else self.count
                end = self._starts[last] if last < self.count else self._end
                for line in file.read(end - self._starts[number]).split(b"\n"):
                    if number < last and pattern.search(line):
                        yield number
                    number += 1
                number = last

    def level_of(self, number: int) -> str:
        """ "error", "warning" or "info"; lines of a traceback belong to the message above them."""
        for back in range(number, max(-1, number - 60), -1):
            line = self.line(back)
            if ERROR.search(line):
                return "error"
            if WARNING.search(line):
                return "warning"
            if _STAMPED.search(line) or _NEW_ATTEMPT.search(line):
                return "info"
            if not line.startswith((b" ", b"\t", b"Traceback")):
                return "info"
        return "info"

    def error_after(self, number: int) -> int | None:
        """The next line that says what went wrong."""
        place = bisect_right(self.errors, number)
        return self.errors[place] if place < len(self.errors) else None

    def error_before(self, number: int) -> int | None:
        """The line before that says what went wrong."""
        place = bisect_left(self.errors, number)
        return self.errors[place - 1] if place else None

    def _forget(self) -> None:
        self._identity = None
        self._begin = self._end = 0
        self._starts, self.errors = array("Q"), array("Q")

    def _take_up(self, descriptor: int) -> None:
        """Index what lies behind `_end`; a last line without an end is taken up anew with its rest."""
        if self._starts and os.pread(descriptor, 1, self._end - 1) != b"\n":
            self._end = self._starts.pop()
            if self.errors and self.errors[-1] == self.count:
                self.errors.pop()
        rest = b""
        while piece := os.pread(descriptor, CHUNK, self._end + len(rest)):
            lines = (rest + piece).split(b"\n")
            rest = lines.pop()
            for line in lines:
                self._add(line)
                self._end += len(line) + 1
        if rest:
            self._add(rest)
            self._end += len(rest)

    def _add(self, line: bytes) -> None:
        if ERROR.search(line):
            self.errors.append(self.count)
        self._starts.append(self._end)
