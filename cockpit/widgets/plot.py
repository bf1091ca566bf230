"""plotext as a drawing engine: curves in, rows of characters out.

plotext keeps one figure for the whole process, so call this on the main thread only. It stumbles over
non-finite numbers and slows down with every point: `cockpit.widgets.curves` leaves the former out and thins the
latter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cockpit.widgets.axes import Axis
from cockpit.widgets.curves import Points

EMPTY = {" ", "\u2800"}
"""Characters of a layer through which the layers beneath it show."""


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

    `marker` is a character, or one of plotext's names such as "braille". Values beyond a limit stay at the
    edge.
    """
    blank = _blank(canvas)
    if canvas.width < 1 or canvas.height < 1 or canvas.last <= canvas.first or not any(stretches):
        return blank
    import plotext

    plotext.clear_figure()
    plotext.theme("clear")
    plotext.limit_size(False, False)
    plotext.plotsize(canvas.width, canvas.height)
    plotext.xaxes(False, False)
    plotext.yaxes(False, False)
    plotext.xticks([])
    plotext.yticks([])
    plotext.xlim(canvas.first, canvas.last)
    plotext.ylim(canvas.y.low, canvas.y.high)
    for points in stretches:
        xs = [min(max(x, canvas.first), canvas.last) for x, _ in points]
        ys = [min(max(y, canvas.y.low), canvas.y.high) for _, y in points]
        plotext.plot(xs, ys, marker=marker)
    drawn = plotext.uncolorize(plotext.build()).split("\n")[: canvas.height]
    rows = [row[: canvas.width].ljust(canvas.width) for row in drawn]
    return rows + blank[len(rows) :]


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


def _blank(canvas: Canvas) -> list[str]:
    return [" " * canvas.width] * canvas.height
