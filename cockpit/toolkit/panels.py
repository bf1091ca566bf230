"""Widgets that show what they are given: a function of what the screen knows, lines, or lines in the middle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from textual.geometry import Size

from cockpit.toolkit.diffing import DiffingWidget
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, wrap

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


class LinesView(DiffingWidget):
    """Shows a frame that does not depend on its size."""

    DEFAULT_CSS = "LinesView { height: auto; }"

    def __init__(self, lines: Frame, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines = lines

    def show(self, lines: Frame) -> None:
        same_height = len(lines) == len(self._lines)
        self._lines = lines
        if same_height:
            self.redraw()
        else:
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines)

    def frame(self, width: int, height: int) -> Frame:
        return self._lines


class Notice(DiffingWidget):
    """One sentence, centred, wrapped where it must be."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._sentence = ""

    def say(self, sentence: str) -> None:
        self._sentence = sentence
        self.redraw()

    def frame(self, width: int, height: int) -> Frame:
        lines = wrap(self._sentence, width, height)
        above = max(0, (height - len(lines)) // 2)
        centred: Frame = [[(line.center(width), "text")] for line in lines]
        return [[] for _ in range(above)] + centred
