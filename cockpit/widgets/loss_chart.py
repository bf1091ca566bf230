"""The loss of both stages over all their steps: raw, mean, validation, the bar to get under."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.widgets import curves, figures, plot
from cockpit.widgets.axes import YAxis, y_axis
from cockpit.widgets.chart import FURNITURE, LABEL_WIDTH, floor, framed, layers, merge
from cockpit.widgets.curves import StageCurve
from cockpit.widgets.glyphs import UNICODE, Glyphs
from cockpit.widgets.lines import Cell, Frame, Line, both_ends, cells, cut, width_of
from cockpit.widgets.still import Still


@dataclass(frozen=True, slots=True)
class ChartData:
    """All that the chart shows; `waiting` is written where the curve will be while there is none."""

    curves: tuple[StageCurve, ...] = ()
    waiting: str = ""
    smoothing: float = 0.9


class LossChart(Still):
    """Keeps its loss axis between frames, so that it rarely moves."""

    DEFAULT_CSS = "LossChart { height: 1fr; min-height: 3; }"

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._data = ChartData()
        self._axis: YAxis | None = None

    def show(self, data: ChartData) -> None:
        self._data = data
        self.redraw()

    def frame(self, width: int, height: int) -> Frame:
        needed = curves.needed_range(self._data.curves, self._data.smoothing)
        self._axis = y_axis(needed, self._axis, rows=max(1, height - FURNITURE))
        return chart_frame(self._data, self._axis, width, height, self._glyphs)


def chart_frame(data: ChartData, axis: YAxis, width: int, height: int, glyphs: Glyphs) -> Frame:
    """The whole chart: a line of legend, the curves with their axis on the left, the steps below."""
    legend = legend_line(data, width, glyphs)
    total = float(sum(curve.steps for curve in data.curves))
    canvas = plot.Canvas(width - LABEL_WIDTH - 1, height - FURNITURE, 0.0, total, axis)
    if canvas.width < 4 or canvas.height < 1:
        return [legend][:height]
    rows = merge(layers(data.curves, data.smoothing, canvas, glyphs), canvas)
    begun = curves.needed_range(data.curves, data.smoothing) is not None
    if not begun:
        _write_across(rows, cut(data.waiting, canvas.width, glyphs.ellipsis), canvas)
    return [legend, *framed(rows, canvas, glyphs, labelled=begun), *floor(data.curves, canvas, glyphs)]


def legend_line(data: ChartData, width: int, glyphs: Glyphs) -> Line:
    """What the signs mean, then the newest values in columns that stay."""
    left: Line = [
        (" loss  ", "strong"),
        (glyphs.raw_sample, "raw"),
        (" raw  ", "dim"),
        (glyphs.mean_sample, "mean"),
        (" mean ", "dim"),
        (f"{data.smoothing:<5g}", "dim"),
        (glyphs.validation, "mark"),
        (" validation  ", "dim"),
        (glyphs.bar * 2, "dim"),
        (" bar", "dim"),
    ]
    running = next((curve for curve in reversed(data.curves) if curve.raw), None)
    if running is None:
        return left
    smoothed = curves.smooth(running.raw, data.smoothing)
    mean = next((value for _, value in reversed(smoothed) if value is not None), None)
    validation = running.validation[-1][1] if running.validation else None
    right: Line = [
        ("mean ", "dim"),
        (figures.loss(mean), "mean"),
        ("  validation ", "dim"),
        (figures.loss(validation), "mark"),
        (" ", "text"),
    ]
    if width_of(left) + width_of(right) + 1 > width:
        left = left[:6]
    return both_ends(left, right, width)


def _write_across(rows: list[list[Cell]], text: str, canvas: plot.Canvas) -> None:
    """`text` in the middle of an empty chart."""
    start = max(0, (canvas.width - len(text)) // 2)
    rows[canvas.height // 2][start : start + len(text)] = cells([(text, "dim")], len(text))
