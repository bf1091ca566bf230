"""The loss of both stages over all their steps: raw, mean, validation, the bar to get under; or another series."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.screens.flight.state import Wanted
from cockpit.toolkit import figures
from cockpit.toolkit.charts import curves, plot
from cockpit.toolkit.charts.axes import Axis
from cockpit.toolkit.charts.chart import FURNITURE, LABEL_WIDTH, axis_over, floor, framed, layers, merge
from cockpit.toolkit.charts.curves import StageCurve
from cockpit.toolkit.diffing import DiffingWidget
from cockpit.toolkit.glyphs import UNICODE, Glyphs
from cockpit.toolkit.lines import Cell, Frame, Line, both_ends, cells, cut, width_of
from cockpit.views.metrics import LOSS, Metric


@dataclass(frozen=True, slots=True)
class ChartData:
    """All that the chart shows; `waiting` is written where the curve will be while there is none."""

    curves: tuple[StageCurve, ...] = ()
    waiting: str = ""
    smoothing: float = 0.9
    metric: Metric = LOSS
    log: bool = False


class LossChart(DiffingWidget):
    """Keeps its upright axis between frames, so that it rarely moves."""

    DEFAULT_CSS = "LossChart { height: 1fr; min-height: 3; }"

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._data = ChartData()
        self._axis: Axis | None = None

    def show(self, data: ChartData) -> None:
        if data.metric != self._data.metric:
            self._axis = None
        self._data = data
        self.redraw()

    def wanted(self, metric: Metric, steps: float) -> Wanted:
        """What has to be read of a series that is not at hand."""
        return Wanted(metric.tag, 0.0, steps, 2 * max(40, self.size.width))

    def frame(self, width: int, height: int) -> Frame:
        data = self._data
        rows = max(1, height - FURNITURE)
        self._axis = axis_over(data.curves, data.smoothing, data.log, self._axis, rows)
        return chart_frame(data, self._axis, width, height, self._glyphs)


def chart_frame(data: ChartData, axis: Axis, width: int, height: int, glyphs: Glyphs) -> Frame:
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
    loss = data.metric == LOSS
    left: Line = [
        (f" {data.metric.name}{', log' if data.log else ''}  ", "strong"),
        (glyphs.raw_sample, "raw"),
        (" raw  ", "dim"),
        (glyphs.mean_sample, "mean"),
        (" mean ", "dim"),
        (f"{data.smoothing:<5g}", "dim"),
    ]
    kept = len(left)
    if loss:
        left += [
            (glyphs.validation_sample, "mark"),
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
    newest = figures.loss(mean) if loss else figures.value(mean)
    right: Line = [("mean ", "dim"), (newest, "mean"), (" ", "text")]
    if loss:
        right[-1:] = [("  validation ", "dim"), (figures.loss(validation), "mark"), (" ", "text")]
    if width_of(left) + width_of(right) + 1 > width:
        left = left[:kept]
    return both_ends(left, right, width)


def _write_across(rows: list[list[Cell]], text: str, canvas: plot.Canvas) -> None:
    """`text` in the middle of an empty chart."""
    start = max(0, (canvas.width - len(text)) // 2)
    rows[canvas.height // 2][start : start + len(text)] = cells([(text, "dim")], len(text))
