"""plotext as a drawing engine: curves in, rows of characters out.

plotext keeps one figure for the whole process, so call this on the main thread only. It stumbles over
non-finite numbers and slows down with every point: `cockpit.toolkit.charts.curves` leaves the former out and thins the
latter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from cockpit.toolkit.charts.axes import Axis
from cockpit.toolkit.charts.curves import Points

EMPTY = {" ", "\u2800"}
"""Characters of a layer through which the layers beneath it show."""

Dots = tuple[tuple[int, int], ...]
"""Column and row, from below, of each dot that a line goes through."""

_DOTS = {"braille": (2, 4)}
"""Dots of a character, across and down, for markers that have several."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """A drawing area in cells, and the numbers that it covers: x from `first` to `last`, y those of the axis."""

    width: int
    height: int
    first: float
    last: float
    y: Axis

    @property
    def span(self) -> tuple[float, float]:
        return self.first, self.last

    def column(self, x: float) -> int:
        """The column of x, which may lie outside."""
        extent = self.last - self.first
        return int(0.5 + (self.width - 1) * (x - self.first) / extent) if extent > 0 else 0

    def row(self, y: float) -> int:
        """The row, from the top, of a place on the axis, which may lie outside."""
        extent = self.y.high - self.y.low
        return (
            self.height - 1 - (int(0.5 + (self.height - 1) * (y - self.y.low) / extent) if extent > 0 else 0)
        )


def draw(stretches: Sequence[Points], canvas: Canvas, marker: str) -> list[str]:
    """`canvas.height` rows of `canvas.width` characters with the stretches as lines.

    `marker` is a character, or plotext's "braille", of 2 × 4 dots a character. Values beyond a limit stay at the
    edge.
    """
    if canvas.width < 1 or canvas.height < 1 or canvas.last <= canvas.first or not any(stretches):
        return _blank(canvas)
    across, down = _DOTS.get(marker, (1, 1))
    columns, rows = canvas.width * across, canvas.height * down
    dots = tuple(
        tuple(
            dot
            for dot, _ in groupby(
                (
                    _dot(x, canvas.first, canvas.last, columns),
                    _dot(y, canvas.y.low, canvas.y.high, rows),
                )
                for x, y in points
            )
        )
        for points in stretches
    )
    return list(_drawn(dots, canvas.width, canvas.height, marker))


def _dot(value: float, low: float, high: float, count: int) -> int:
    """On which of `count` dots plotext puts a value; those beyond a limit on the last one."""
    if high <= low:
        return 0
    held = min(max(value, low), high)
    return math.floor(round(0.5 + (count - 1) * (held - low) / (high - low), 8))


@lru_cache(maxsize=16)
def _drawn(dots: tuple[Dots, ...], width: int, height: int, marker: str) -> tuple[str, ...]:
    """The rows. Remembered, since plotext is most of what a screen costs, and a new step rarely moves a dot."""
    import plotext

    across, down = _DOTS.get(marker, (1, 1))
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.limit_size(False, False)
    plotext.plotsize(width, height)
    plotext.xaxes(False, False)
    plotext.yaxes(False, False)
    plotext.xticks([])
    plotext.yticks([])
    plotext.xlim(0, max(1, width * across - 1))
    plotext.ylim(0, max(1, height * down - 1))
    for points in dots:
        plotext.plot([x for x, _ in points], [y for _, y in points], marker=marker)
    drawn = plotext.uncolorize(plotext.build()).split("\n")[:height]
    rows = [row[:width].ljust(width) for row in drawn]
    return tuple(rows + [" " * width] * (height - len(rows)))


def stamp(points: Iterable[tuple[float, float]], canvas: Canvas, mark: str) -> list[str]:
    """Rows as `draw` makes them with a character at each point, values beyond a limit at the edge.

    Where plotext would put them, at a hundredth of the cost: most layers of a chart are few single marks.
    """
    if canvas.width < 1 or canvas.height < 1 or canvas.last <= canvas.first:
        return _blank(canvas)
    rows = [[" "] * canvas.width for _ in range(canvas.height)]
    for x, y in points:
        row = min(max(canvas.row(y), 0), canvas.height - 1)
        rows[row][min(max(canvas.column(x), 0), canvas.width - 1)] = mark
    return ["".join(row) for row in rows]


_BRAILLE = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of each dot of a braille character, by column, from the top."""
_DIAMOND = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))


def diamonds(points: Iterable[tuple[float, float]], canvas: Canvas) -> list[str]:
    """Rows as `draw` makes them with a diamond of dots around each point: a row of cells is four of dots."""
    if canvas.width < 1 or canvas.height < 1 or canvas.last <= canvas.first:
        return _blank(canvas)
    columns, rows = 2 * canvas.width, 4 * canvas.height
    cells = [[0] * canvas.width for _ in range(canvas.height)]
    for x, y in points:
        column = _dot(x, canvas.first, canvas.last, columns)
        row = rows - 1 - _dot(y, canvas.y.low, canvas.y.high, rows)
        for across, down in _DIAMOND:
            at, below = column + across, row + down
            if 0 <= at < columns and 0 <= below < rows:
                cells[below // 4][at // 2] |= _BRAILLE[at % 2][below % 4]
    return ["".join(chr(0x2800 + cell) for cell in row) for row in cells]


def _blank(canvas: Canvas) -> list[str]:
    return [" " * canvas.width] * canvas.height
