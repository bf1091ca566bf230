"""plotext as a drawing engine: curves in, rows of characters out.

plotext keeps one figure for the whole process, so call this on the main thread only. It stumbles over
non-finite numbers and slows down with every point: `cockpit.widgets.curves` leaves the former out and thins the
latter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cockpit.widgets.curves import Points, YAxis

EMPTY = {" ", "\u2800"}
"""Characters of a layer through which the layers beneath it show."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """A drawing area in cells and the range of numbers that it covers."""

    width: int
    height: int
    total: float
    y: YAxis


def draw(stretches: Sequence[Points], canvas: Canvas, marker: str, joined: bool = True) -> list[str]:
    """`canvas.height` rows of `canvas.width` characters with the stretches as lines, or as single marks.

    `marker` is a character, or one of plotext's names such as "braille". Values beyond a limit stay at the
    edge.
    """
    blank = [" " * canvas.width] * canvas.height
    if canvas.width < 1 or canvas.height < 1 or canvas.total <= 0 or not any(stretches):
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
    plotext.xlim(0, canvas.total)
    plotext.ylim(canvas.y.low, canvas.y.high)
    for points in stretches:
        xs = [min(max(x, 0.0), canvas.total) for x, _ in points]
        ys = [min(max(y, canvas.y.low), canvas.y.high) for _, y in points]
        (plotext.plot if joined else plotext.scatter)(xs, ys, marker=marker)
    drawn = plotext.uncolorize(plotext.build()).split("\n")[: canvas.height]
    rows = [row[: canvas.width].ljust(canvas.width) for row in drawn]
    return rows + blank[len(rows) :]


def column_of(x: float, canvas: Canvas) -> int:
    """The column in which plotext puts x."""
    return int(0.5 + (canvas.width - 1) * x / canvas.total) if canvas.total > 0 else 0
