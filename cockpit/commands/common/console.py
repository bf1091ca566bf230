"""Writing to a terminal, or to whatever stands in for one."""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from engine.files.json_file import without_nan
from engine.standard_streams import beneath
from engine.words.printable import as_line

SPARSE_SECONDS = 10.0  # between lines of progress where none can be redrawn


def print_json(value: Any) -> None:
    """One line of strict JSON; non-finite numbers are null."""
    print(json.dumps(without_nan(value), allow_nan=False))


def table(rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Rows as lines with aligned columns; the columns in `right` are flush right."""
    cells = [[as_line(cell) for cell in row] for row in rows]
    if not cells:
        return []
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


class LiveLines:
    """A few lines that are redrawn in place on a terminal, and printed when they change elsewhere."""

    def __init__(self, stream: TextIO | None = None, sparse_seconds: float = 0.0) -> None:
        self._stream = beneath(stream or sys.stdout)
        self.on_terminal = self._stream.isatty()
        self._sparse_seconds = sparse_seconds
        self._drawn = 0
        self._shown: list[str] = []
        self._printed = -math.inf

    def show(self, lines: Sequence[str]) -> None:
        """Draw the lines where the last ones were."""
        lines = [as_line(line) for line in lines]
        if self.on_terminal:
            if self._drawn and lines == self._shown:
                return
            cut = [line[: self.columns] for line in lines]
            up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
            drawing = ("\r" + up if self._drawn else "") + "\x1b[J" + "\n".join(cut)
            self._drawn = len(cut)  # before: a signal may end this at any moment, and `close` must know
            self._stream.write(drawing)
            self._stream.flush()
        elif lines != self._shown and time.monotonic() - self._printed >= self._sparse_seconds:
            self._say(lines)
        self._shown = lines

    @property
    def columns(self) -> int:
        """How long a line may be: in the last column a terminal would begin another one."""
        return shutil.get_terminal_size().columns - 1

    def tell(self, line: str) -> None:
        """A line that stays, above the live ones."""
        line = as_line(line)
        if self.on_terminal and self._drawn:
            up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
            self._stream.write(f"\r{up}\x1b[J{line}\n")
            self._drawn = 0
            self.show(self._shown)
        else:
            self._say([line])

    def close(self) -> None:
        """Leave the last lines standing."""
        if self._drawn:
            self._stream.write("\n")
            self._stream.flush()
            self._drawn = 0

    def erase(self) -> None:
        """Take the live lines away, for a last word in their place."""
        if self._drawn:
            up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
            self._stream.write(f"\r{up}\x1b[J")
            self._stream.flush()
            self._drawn = 0

    def _say(self, lines: Iterable[str]) -> None:
        self._printed = time.monotonic()
        for line in lines:
            self._stream.write(line + "\n")
        self._stream.flush()
