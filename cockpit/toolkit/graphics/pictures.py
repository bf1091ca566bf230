"""Pictures in the terminal's own graphics: cells that hold their place, and what is sent so that they are seen."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

from rich.color import Color, ColorSystem
from rich.style import Style

from cockpit.terminal.graphics import Graphics
from cockpit.textual_internals import MARK
from cockpit.toolkit.graphics import kitty, sixel
from cockpit.toolkit.graphics.film import FilmView, Thumbnail
from cockpit.toolkit.lines import Frame


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture in so many cells, looked at in one way."""

    picture: Thumbnail
    columns: int
    rows: int
    view: FilmView


class Pictures:
    """The pictures on the screen, by number. Used on the thread of the app alone."""

    def __init__(self, graphics: Graphics) -> None:
        self._graphics = graphics
        self._numbers: OrderedDict[Placed, int] = OrderedDict()
        self._unsent: list[Placed] = []

    def place(self, picture: Thumbnail, columns: int, rows: int, view: FilmView) -> Frame:
        """The cells of a picture."""
        rows = min(rows, kitty.MOST_ROWS)
        placed = Placed(picture, columns, rows, view)
        number = self._number(placed)
        if self._graphics.way == "kitty":
            return kitty.placeholders(_colour(number), columns, rows)
        # Blanks that differ from other blanks, so that they are sent anew when the picture changes.
        return [[(" " * columns, Style(meta={MARK: (number, row, columns)}))] for row in range(rows)]

    def sent_before(self, system: ColorSystem) -> str:
        """What the terminal must have before the cells of new pictures come."""
        if self._graphics.way != "kitty" or not self._unsent:
            return ""
        unsent, self._unsent = self._unsent, []
        return "".join(self._transmission(placed, system) for placed in unsent if placed in self._numbers)

    def drawn_over(self, number: int, x: int, y: int) -> str:
        """The picture of that number drawn with its upper left cell at (x, y)."""
        placed = next((one for one, known in self._numbers.items() if known == number), None)
        if placed is None or self._graphics.way != "sixel":
            return ""
        return f"\x1b[{y + 1};{x + 1}H{_sixels(placed, self._graphics.cell)}"

    def _number(self, placed: Placed) -> int:
        known = self._numbers.get(placed)
        if known is not None:
            self._numbers.move_to_end(placed)
            return known
        full = len(self._numbers) == len(kitty.COLOURS)
        number = self._numbers.popitem(last=False)[1] if full else len(self._numbers)
        self._numbers[placed] = number
        self._unsent.append(placed)
        return number

    def _transmission(self, placed: Placed, system: ColorSystem) -> str:
        width, height = _pixels(placed, self._graphics.cell)
        grey = seen(placed.picture, width, height, placed.view)
        number = kitty.number_of(_colour(self._numbers[placed]), system)
        return kitty.transmission(grey, width, height, number, placed.columns, placed.rows)


def _colour(number: int) -> Color:
    return kitty.COLOURS[number]


def _pixels(placed: Placed, cell: tuple[int, int]) -> tuple[int, int]:
    """Size of the place in pixels."""
    return placed.columns * cell[0], placed.rows * cell[1]


@lru_cache(maxsize=4)
def _sixels(placed: Placed, cell: tuple[int, int]) -> str:
    width, height = _pixels(placed, cell)
    # A picture that ends within its last row of cells never scrolls the screen.
    height -= height % sixel.BAND
    return sixel.encode(seen(placed.picture, width, height, placed.view), width, height)


def seen(picture: Thumbnail, width: int, height: int, view: FilmView) -> bytes:
    """What is seen of the picture, as `width` × `height` bytes of grey."""
    from PIL import Image

    whole = Image.frombytes("L", (picture.width, picture.height), picture.pixels)
    box = view.box(picture.width, picture.height)
    finer = width > box[2] - box[0]
    way = Image.Resampling.BICUBIC if finer else Image.Resampling.BOX
    return whole.resize((width, height), way, box).tobytes().translate(view.greys())
