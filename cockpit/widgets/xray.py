"""A radiograph in half cells: two pixels a character, in the 24 greys of a 256-colour terminal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rich.color import Color
from rich.style import Style

from cockpit.screens.flight_state import Thumbnail
from cockpit.widgets.glyphs import Glyphs
from cockpit.widgets.lines import Frame, Line, Paint

LONG_SIDE = 160
"""Pixels of a thumbnail's longer side: enough for any picture made of cells."""
GREYS = 24
_CHARACTERS = " .:-=+*#%@"


@dataclass(frozen=True, slots=True)
class FilmView:
    """How a film is looked at: `zoom` times magnified around (x, y) in 0…1, greys `level` ± `window` / 2 spread."""

    zoom: float = 1.0
    x: float = 0.5
    y: float = 0.5
    window: int = 256
    level: int = 128
    inverted: bool = False

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what is seen of a picture, in its pixels."""
        across, down = width / self.zoom, height / self.zoom
        left = min(max(self.x * width - across / 2, 0.0), width - across)
        top = min(max(self.y * height - down / 2, 0.0), height - down)
        return left, top, left + across, top + down

    def greys(self) -> bytes:
        """A table from stored to shown greys."""
        low = self.level - self.window / 2
        shown = [round(255 * min(1.0, max(0.0, (grey - low) / self.window))) for grey in range(256)]
        return bytes(255 - grey for grey in shown) if self.inverted else bytes(shown)


PLAIN_VIEW = FilmView()


def picture_frame(
    picture: Thumbnail, width: int, height: int, glyphs: Glyphs, view: FilmView = PLAIN_VIEW
) -> Frame:
    """The picture as large as fits `width` × `height` cells, its proportions kept."""
    columns, rows = fitted(picture, width, height)
    if columns < 1 or rows < 1:
        return []
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
    from PIL import Image

    whole = Image.frombytes("L", (picture.width, picture.height), picture.pixels)
    lines_a_cell = 2 if blocks else 1
    small = whole.resize(
        (columns, rows * lines_a_cell), Image.Resampling.BOX, view.box(picture.width, picture.height)
    )
    grey = small.tobytes().translate(view.greys())
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
