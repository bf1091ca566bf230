"""`Panel`: a `DiffingWidget` whose content is a plain function of what the screen knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from cockpit.toolkit.diffing import DiffingWidget
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame

S = TypeVar("S")
Draw = Callable[[S, int, int, Glyphs], Frame]


class Panel(DiffingWidget, Generic[S]):
    """Shows `draw(state, width, height, glyphs)`; before the first state it is empty."""

    def __init__(self, draw: Draw[S], glyphs: Glyphs, *, id: str) -> None:
        super().__init__(id=id)
        self._draw = draw
        self._glyphs = glyphs
        self._state: S | None = None

    def show(self, state: S) -> None:
        self._state = state
        self.redraw()

    def frame(self, width: int, height: int) -> Frame:
        if self._state is None:
            return []
        return self._draw(self._state, width, height, self._glyphs)
