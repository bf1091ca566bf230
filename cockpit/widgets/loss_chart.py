"""The loss of both stages over all their steps: raw, mean, validation, the bar to get under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cockpit.widgets import curves, figures, plot
from cockpit.widgets.curves import StageCurve, YAxis
from cockpit.widgets.glyphs import UNICODE, Glyphs
from cockpit.widgets.lines import Cell, Frame, Line, both_ends, cells, cut, width_of
from cockpit.widgets.still import Still

SMOOTHINGS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
LABEL_WIDTH = 6
FURNITURE = 3
"""Rows of the chart that are legend, axis and labels."""


@dataclass(frozen=True, slots=True)
class ChartData:
    """All that the chart shows; `waiting` is written where the curve will be while there is none."""

    curves: tuple[StageCurve, ...] = ()
    waiting: str = ""


class LossChart(Still):
    """Keeps its loss axis between frames, so that it rarely moves."""

    DEFAULT_CSS = "LossChart { height: 1fr; min-height: 3; }"

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._data = ChartData()
        self._axis: YAxis | None = None
        self._smoothing = 3

    @property
    def smoothing(self) -> float:
        return SMOOTHINGS[self._smoothing]

    def show(self, data: ChartData) -> None:
        self._data = data
        self.redraw()

    def change_smoothing(self, by: int) -> bool:
        """One step more or less; False at the end of the scale."""
        wanted = self._smoothing + by
        if not 0 <= wanted < len(SMOOTHINGS):
            return False
        self._smoothing = wanted
        self.redraw()
        return True

    def frame(self, width: int, height: int) -> Frame:
        needed = curves.needed_range(self._data.curves, self.smoothing)
        self._axis = curves.y_axis(needed, self._axis, rows=max(1, height - FURNITURE))
        return chart_frame(self._data, self._axis, self.smoothing, width, height, self._glyphs)


def chart_frame(
    data: ChartData, axis: YAxis, smoothing: float, width: int, height: int, glyphs: Glyphs
) -> Frame:
    """The whole chart: a line of legend, the curves with their axis on the left, the steps below."""
    legend = legend_line(data, smoothing, width, glyphs)
    total = float(sum(curve.steps for curve in data.curves))
    canvas = plot.Canvas(width - LABEL_WIDTH - 1, height - FURNITURE, total, axis)
    if canvas.width < 4 or canvas.height < 1:
        return [legend][:height]
    rows = merge(layers(data, smoothing, canvas, glyphs), canvas)
    labels = {canvas.height - 1 - row: figures.tick(value, axis.step) for row, value in axis.ticks()}
    if curves.needed_range(data.curves, smoothing) is None:
        _write_across(rows, cut(data.waiting, canvas.width, glyphs.ellipsis), canvas)
        labels = {}
    frame: Frame = [legend]
    for y, row in enumerate(rows):
        label = labels.get(y)
        edge = glyphs.axis_tick if label else glyphs.axis
        frame.append([(f"{label or '':>{LABEL_WIDTH - 1}} ", "dim"), (edge, "faint"), *row])
    return [*frame, *floor(data.curves, canvas, glyphs)]


def layers(
    data: ChartData, smoothing: float, canvas: plot.Canvas, glyphs: Glyphs
) -> list[tuple[list[str], str]]:
    """(rows, role) from the bottom to the top: a drawing for each colour."""
    pixels = canvas.width * (2 if glyphs.blocks else 1)
    bars: list[curves.Points] = []
    boundaries: list[curves.Points] = []
    raw: list[curves.Points] = []
    mean: list[curves.Points] = []
    marks: list[curves.Points] = []
    for curve in data.curves:
        raw += curves.thin(curves.raw_extremes(curve.raw), curve.offset, canvas.total, pixels)
        line = [(step, value, value) for step, value in curves.smooth(curve.raw, smoothing)]
        mean += curves.thin(line, curve.offset, canvas.total, pixels)
        marks.append(
            [
                (curve.offset + step, loss)
                for step, loss in curve.validation
                if curves.finite(loss) is not None and loss is not None
            ]
        )
        if curve.bar is not None and canvas.y.low <= curve.bar <= canvas.y.high:
            bars.append([(x, curve.bar) for x in _column_centres(curve, canvas)])
        if curve.offset > 0:
            boundaries.append([(curve.offset, value) for value in _row_centres(canvas)])
    return [
        (plot.draw(bars, canvas, glyphs.bar, joined=False), "dim"),
        (plot.draw(boundaries, canvas, glyphs.boundary, joined=False), "faint"),
        (plot.draw(raw, canvas, glyphs.curve), "raw"),
        (plot.draw(mean, canvas, glyphs.mean), "mean"),
        (plot.draw(marks, canvas, glyphs.validation, joined=False), "mark"),
    ]


def merge(drawn: Sequence[tuple[list[str], str]], canvas: plot.Canvas) -> list[list[Cell]]:
    """Layers over each other: in every cell the topmost that draws there wins."""
    rows: list[list[Cell]] = [[(" ", "text")] * canvas.width for _ in range(canvas.height)]
    for layer, role in drawn:
        for row, text in zip(rows, layer, strict=True):
            for x, char in enumerate(text):
                if char not in plot.EMPTY:
                    row[x] = (char, role)
    return rows


def legend_line(data: ChartData, smoothing: float, width: int, glyphs: Glyphs) -> Line:
    """What the signs mean, then the newest values in columns that stay."""
    left: Line = [
        (" loss  ", "strong"),
        (glyphs.raw_sample, "raw"),
        (" raw  ", "dim"),
        (glyphs.mean_sample, "mean"),
        (" mean ", "dim"),
        (f"{smoothing:<5g}", "dim"),
        (glyphs.validation, "mark"),
        (" validation  ", "dim"),
        (glyphs.bar * 2, "dim"),
        (" bar", "dim"),
    ]
    running = next((curve for curve in reversed(data.curves) if curve.raw), None)
    if running is None:
        return left
    mean = next(
        (value for _, value in reversed(curves.smooth(running.raw, smoothing)) if value is not None), None
    )
    validation = running.validation[-1][1] if running.validation else None
    right: Line = [
        ("mean ", "dim"),
        (figures.loss(mean), "mean"),
        ("  val ", "dim"),
        (figures.loss(validation), "mark"),
        (" ", "text"),
    ]
    if width_of(left) + width_of(right) + 1 > width:
        left = left[:6]
    return both_ends(left, right, width)


def floor(stages: Sequence[StageCurve], canvas: plot.Canvas, glyphs: Glyphs) -> Frame:
    """The axis of steps and its labels."""
    line = [glyphs.axis_floor] * canvas.width
    labels = [" "] * canvas.width
    for x, label in curves.x_ticks(stages, canvas.width):
        column = plot.column_of(x, canvas)
        start = max(0, min(column - len(label) // 2, canvas.width - len(label)))
        spot = labels[max(0, start - 1) : start + len(label) + 1]
        if any(char != " " for char in spot):
            continue
        line[column] = glyphs.axis_floor_tick
        labels[start : start + len(label)] = label
    margin = " " * LABEL_WIDTH
    return [
        [(margin, "text"), (glyphs.axis_corner + "".join(line), "faint")],
        [(margin + " " + "".join(labels), "dim")],
    ]


def _write_across(rows: list[list[Cell]], text: str, canvas: plot.Canvas) -> None:
    """`text` in the middle of an empty chart."""
    start = max(0, (canvas.width - len(text)) // 2)
    rows[canvas.height // 2][start : start + len(text)] = cells([(text, "dim")], len(text))


def _column_centres(curve: StageCurve, canvas: plot.Canvas) -> list[float]:
    """An x for every column of the stage, one column of air at both ends."""
    first = plot.column_of(curve.offset, canvas) + 1
    last = plot.column_of(curve.offset + curve.steps, canvas)
    return [column * canvas.total / max(1, canvas.width - 1) for column in range(first, last)]


def _row_centres(canvas: plot.Canvas) -> list[float]:
    height = canvas.y.high - canvas.y.low
    return [canvas.y.low + height * row / max(1, canvas.height - 1) for row in range(canvas.height)]
