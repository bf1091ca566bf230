"""`Pager`: lines of which a part is seen, moved up and down."""

from __future__ import annotations

from collections.abc import Callable

from cockpit.toolkit.diffing import DiffingWidget
from cockpit.toolkit.lines import Frame

Lines = Callable[[int], Frame]
"""The lines for a width."""


class Pager(DiffingWidget):
    """Keeps its first line; the lines are made anew only for another width."""

    DEFAULT_CSS = "Pager { height: 1fr; }"

    def __init__(self, lines: Lines, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines = lines
        self._made: tuple[int, Frame] = (-1, [])
        self._first = 0

    def show(self, lines: Lines) -> None:
        self._lines = lines
        self._made = (-1, [])
        self.redraw()

    def scroll_lines(self, by: int) -> None:
        """Down by so many lines, up if negative."""
        self._first += by
        self.redraw()

    def frame(self, width: int, height: int) -> Frame:
        if self._made[0] != width:
            self._made = (width, self._lines(width))
        lines = self._made[1]
        self._first = min(max(0, self._first), max(0, len(lines) - height))
        return lines[self._first : self._first + height]
