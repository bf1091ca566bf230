"""The footer: the keys that work now, the most wanted first; what does not fit is found under `?`."""

from __future__ import annotations

from collections.abc import Sequence

from cockpit.toolkit.diffing import DiffingWidget
from cockpit.toolkit.glyphs import UNICODE, Glyphs
from cockpit.toolkit.lines import Frame, Line, width_of

KeyLabel = tuple[str, str, int]
"""Key as shown, what it does now, and its rank: the highest ranks give way first."""


class KeyBar(DiffingWidget):
    """A rule and a line of keys."""

    DEFAULT_CSS = "KeyBar { height: 2; dock: bottom; }"

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._keys: tuple[KeyLabel, ...] = ()

    def show(self, keys: Sequence[KeyLabel]) -> None:
        self._keys = tuple(keys)
        self.redraw()

    def frame(self, width: int, height: int) -> Frame:
        frame: Frame = [[(self._glyphs.rule * width, "faint")], keys_line(self._keys, width)]
        return frame[-height:]


def keys_line(keys: Sequence[KeyLabel], width: int) -> Line:
    """All keys in their order, without those of the highest rank that have no room."""
    kept = list(keys)
    while kept and width_of(_line(kept)) > width:
        kept.remove(max(kept, key=lambda key: key[2]))
    return _line(kept)


def _line(keys: Sequence[KeyLabel]) -> Line:
    line: Line = []
    for key, label, _ in keys:
        line += [("  " if line else " ", "text"), (key, "key"), (f" {label}", "dim")]
    return line
