"""`Notice`: fixed lines in the middle of a place."""

from __future__ import annotations

from cockpit.toolkit.diffing import DiffingWidget
from cockpit.toolkit.lines import Frame, wrap


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
