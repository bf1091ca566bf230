"""What every chart of a series over steps is made of: layers, an axis on the left, steps below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cockpit.widgets import curves, plot
from cockpit.widgets.curves import StageCurve
from cockpit.widgets.glyphs import Glyphs
from cockpit.widgets.lines import Cell, Frame

LABEL_WIDTH = 6
FURNITURE = 3
"""Rows of a chart that are legend, axis and labels."""

Layer = tuple[list[str], str]
"""Rows of characters, and their role."""


def layers(
    stages: Sequence[StageCurve], smoothing: float, canvas: plot.Canvas, glyphs: Glyphs
) -> list[Layer]:
    """From the bottom to the top: a drawing for each colour."""
    pixels = canvas.width * (2 if glyphs.blocks else 1)
    bars: list[tuple[float, float]] = []
    boundaries: list[tuple[float, float]] = []
    marks: list[tuple[float, float]] = []
    raw: list[curves.Points] = []
    mean: list[curves.Points] = []
    place = canvas.y.place
    for stage in stages:
        extremes = ((step, place(low), place(high)) for step, low, high in curves.raw_extremes(stage.raw))
        raw += curves.thin(_within(extremes, stage, canvas), stage.offset, canvas.span, pixels)
        smoothed = ((step, place(value), place(value)) for step, value in curves.smooth(stage.raw, smoothing))
        mean += curves.thin(_within(smoothed, stage, canvas), stage.offset, canvas.span, pixels)
        for step, loss in stage.validation:
            y = place(curves.finite(loss))
            if y is not None and canvas.first <= stage.offset + step <= canvas.last:
                marks.append((stage.offset + step, y))
        bar = place(stage.bar)
        if bar is not None and canvas.y.low <= bar <= canvas.y.high:
            bars += [(x, bar) for x in _column_centres(stage, canvas)]
        if stage.offset > 0 and canvas.first <= stage.offset <= canvas.last:
            boundaries += upright(stage.offset, canvas)
    return [
        (plot.stamp(bars, canvas, glyphs.bar), "dim"),
        (plot.stamp(boundaries, canvas, glyphs.boundary), "faint"),
        (plot.draw(raw, canvas, glyphs.curve), "raw"),
        (plot.draw(mean, canvas, glyphs.mean), "mean"),
        (plot.stamp(marks, canvas, glyphs.validation), "mark"),
    ]


def merge(drawn: Sequence[Layer], canvas: plot.Canvas) -> list[list[Cell]]:
    """Layers over each other: in every cell the topmost that draws there wins."""
    rows: list[list[Cell]] = [[(" ", "text")] * canvas.width for _ in range(canvas.height)]
    for layer, role in drawn:
        for row, text in zip(rows, layer, strict=True):
            for x, char in enumerate(text):
                if char not in plot.EMPTY:
                    row[x] = (char, role)
    return rows


def framed(rows: Sequence[list[Cell]], canvas: plot.Canvas, glyphs: Glyphs, labelled: bool = True) -> Frame:
    """The rows with the axis on their left."""
    labels = {canvas.height - 1 - row: text for row, text in canvas.y.labels().items()} if labelled else {}
    frame: Frame = []
    for y, row in enumerate(rows):
        label = labels.get(y)
        edge = glyphs.axis_tick if label else glyphs.axis
        frame.append([(f"{label or '':>{LABEL_WIDTH - 1}} ", "dim"), (edge, "faint"), *row])
    return frame


def floor(stages: Sequence[StageCurve], canvas: plot.Canvas, glyphs: Glyphs) -> Frame:
    """The axis of steps and its labels."""
    line = [glyphs.axis_floor] * canvas.width
    labels = [" "] * canvas.width
    for x, label in curves.x_ticks(stages, canvas.width, canvas.first, canvas.last):
        column = canvas.column(x)
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


def upright(x: float, canvas: plot.Canvas) -> list[tuple[float, float]]:
    """A point in every row at x."""
    height = canvas.y.high - canvas.y.low
    return [(x, canvas.y.low + height * row / max(1, canvas.height - 1)) for row in range(canvas.height)]


def level(y: float, canvas: plot.Canvas) -> list[tuple[float, float]]:
    """A point in every column at a place on the axis."""
    extent = canvas.last - canvas.first
    return [(canvas.first + extent * column / max(1, canvas.width - 1), y) for column in range(canvas.width)]


def _within(
    series: Iterable[tuple[float, float | None, float | None]], stage: StageCurve, canvas: plot.Canvas
) -> Iterable[tuple[float, float | None, float | None]]:
    low, high = canvas.first - stage.offset, canvas.last - stage.offset
    return (point for point in series if low <= point[0] <= high)


def _column_centres(stage: StageCurve, canvas: plot.Canvas) -> list[float]:
    """An x for every column of the stage that is seen, one column of air at both ends."""
    first = max(0, canvas.column(stage.offset) + 1)
    last = min(canvas.width, canvas.column(stage.offset + stage.steps))
    extent = canvas.last - canvas.first
    return [canvas.first + column * extent / max(1, canvas.width - 1) for column in range(first, last)]
