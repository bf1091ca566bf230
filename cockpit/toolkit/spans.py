"""What the terminal is sent: changed columns alone, and the pictures of its own graphics around them.

Textual sends a widget's line from the widget's left edge up to the change, which costs several times the bytes of
the change itself. Over SSH that is most of what a live screen sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.color import ColorSystem
from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from cockpit.toolkit.graphics.pictures import MARK, Pictures

Part = tuple[int, int, Strip]
"""A piece of a line as it stands on the screen: column, row, content."""


def narrowed(update: Any, pictures: Pictures | None = None) -> Any:
    """The compositor's update without what need not be sent, and with what its pictures need."""
    if isinstance(update, ChopsUpdate):
        return SpanUpdate(update, pictures)
    return WholeUpdate(update, pictures) if pictures and isinstance(update, LayoutUpdate) else update


class SpanUpdate(CompositorUpdate):
    """A partial update with every piece of a line cut to its span on both sides."""

    def __init__(self, whole: ChopsUpdate, pictures: Pictures | None) -> None:
        self._whole = whole
        self._pictures = pictures

    def render_segments(self, console: Console) -> str:
        """What the terminal is sent."""
        sequences = []
        touched: list[Part] = []
        for y, x1, x2 in self._whole.spans:
            for end, (x, strip) in zip(self._whole.chop_ends[y], self._whole.chops[y].items(), strict=False):
                if strip is None or x >= x2 or end <= x1:
                    continue
                start = max(x, x1)
                sequences.append(Control.move_to(start, y).segment.text)
                sequences.append(strip.crop(start - x, min(end, x2) - x).render(console))
                touched.append((x, y, strip))
        return _with_pictures("".join(sequences), touched, console, self._pictures)


class WholeUpdate(CompositorUpdate):
    """A full update, as Textual sends it."""

    def __init__(self, whole: LayoutUpdate, pictures: Pictures) -> None:
        self._whole = whole
        self._pictures = pictures

    def render_segments(self, console: Console) -> str:
        """What the terminal is sent."""
        return _with_pictures(self._whole.render_segments(console), self._parts(), console, self._pictures)

    def _parts(self) -> Iterator[Part]:
        for y, line in enumerate(self._whole.strips, self._whole.region.y):
            x = self._whole.region.x
            for strip in line:
                yield x, y, strip
                x += strip.cell_length


def _with_pictures(text: str, parts: Iterable[Part], console: Console, pictures: Pictures | None) -> str:
    if pictures is None:
        return text
    system = console._color_system or ColorSystem.TRUECOLOR
    over = (pictures.drawn_over(number, x, y) for number, (x, y) in _marked(parts).items())
    return pictures.sent_before(system) + text + "".join(over)


def _marked(parts: Iterable[Part]) -> dict[int, tuple[int, int]]:
    """Upper left cell of every picture that is touched and not covered in part, by its number."""
    origins: dict[int, tuple[int, int]] = {}
    covered: set[int] = set()
    for x, y, strip in parts:
        for segment in strip:
            mark = segment.style.meta.get(MARK) if segment.style else None
            if mark is not None:
                number, row, columns = mark
                if segment.cell_length < columns:
                    covered.add(number)
                origins[number] = (x, y - row)
            x += segment.cell_length
    return {number: origin for number, origin in origins.items() if number not in covered}
