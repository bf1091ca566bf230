"""A radiograph in half cells: two pixels a character, in the 24 greys of a 256-colour terminal."""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color
from rich.style import Style

from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.graphics.film import PLAIN_VIEW, FilmView, Thumbnail
from cockpit.toolkit.graphics.pictures import seen
from cockpit.toolkit.lines import Frame, Line, Paint

LONG_SIDE = 160
"""Pixels of a thumbnail's longer side: enough for any picture made of cells."""
GREYS = 24
_CHARACTERS = " .:-=+*#%@"


def picture_frame(
    picture: Thumbnail, width: int, height: int, glyphs: Glyphs, view: FilmView = PLAIN_VIEW
) -> Frame:
    """The picture as large as fits `width` × `height` cells, its proportions kept."""
    columns, rows = fitted(picture, width, height)
    if columns < 1 or rows < 1:
        return []
    if glyphs.pictures is not None:
        return glyphs.pictures.place(picture, columns, rows, view)
    return [list(line) for line in _drawn(picture, columns, rows, glyphs.blocks, view)]


def fitted(picture: Thumbnail, width: int, height: int) -> tuple[int, int]:
    """(columns, rows) of the largest picture; a cell is taken to be twice as high as wide."""
    if width < 1 or height < 1 or picture.width < 1 or picture.height < 1:
        return 0, 0
    scale = min(width / picture.width, 2 * height / picture.height)
    return max(1, int(picture.width * scale + 0.5)), max(1, int(picture.height * scale / 2 + 0.5))


@lru_cache(maxsize=4)
def _drawn(
    picture: Thumbnail, columns: int, rows: int, blocks: bool, view: FilmView
) -> tuple[tuple[tuple[str, Paint], ...], ...]:
    lines_a_cell = 2 if blocks else 1
    grey = seen(picture, columns, rows * lines_a_cell, view)
    drawn = []
    for row in range(rows):
        start = row * lines_a_cell * columns
        upper = grey[start : start + columns]
        line: Line
        if blocks:
            lower = grey[start + columns : start + 2 * columns]
            line = [("▀", _half_cell(_step(a), _step(b))) for a, b in zip(upper, lower, strict=True)]
        else:
            line = [(_CHARACTERS[value * len(_CHARACTERS) // 256], "text") for value in upper]
        drawn.append(tuple(line))
    return tuple(drawn)


def _step(value: int) -> int:
    """Eight bits to one of the 24 greys."""
    return value * GREYS // 256


@lru_cache(maxsize=GREYS * GREYS)
def _half_cell(upper: int, lower: int) -> Style:
    return Style(color=_grey(upper), bgcolor=_grey(lower))


def _grey(step: int) -> Color:
    """The grey that 256-colour terminals have at number 232 + step."""
    value = 8 + 10 * step
    return Color.from_rgb(value, value, value)
