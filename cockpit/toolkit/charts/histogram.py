"""Bars standing upright, drawn with the characters that the font has."""

from __future__ import annotations

from collections.abc import Sequence

from cockpit.toolkit.glyphs import Glyphs

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def bar_rows(values: Sequence[int], height: int, glyphs: Glyphs) -> list[str]:
    """`height` rows, the topmost first; a value above zero is never invisible."""
    largest = max(values, default=0)
    if largest <= 0 or height < 1:
        return [" " * len(values)] * max(0, height)
    steps = 8 if glyphs.blocks else 1
    filled = [max(1, round(value / largest * height * steps)) if value else 0 for value in values]
    rows = []
    for row in range(height - 1, -1, -1):
        cells = [min(steps, max(0, level - row * steps)) for level in filled]
        rows.append("".join((_EIGHTHS[cell] if glyphs.blocks else " #"[cell]) for cell in cells))
    return rows
