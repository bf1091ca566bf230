"""What every chart of a series over steps is made of: layers, an axis on the left, steps below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cockpit.toolkit.charts import curves, plot
from cockpit.toolkit.charts.axes import Axis, log_axis, y_axis
from cockpit.toolkit.charts.curves import StageCurve
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Cell, Frame

LABEL_WIDTH = 6
FURNITURE = 3
"""Rows of a chart that are legend, axis and labels."""

Layer = tuple[list[str], str]
"""Rows of characters, and their role."""


def axis_over(
    stages: Sequence[StageCurve], smoothing: float, log: bool, previous: Axis | None, rows: int
) -> Axis:
    """An axis for what is worth a place on it."""
    needed = curves.needed_range(stages, smoothing, positive=log)
    return log_axis(needed, previous, rows) if log else y_axis(needed, previous, rows)


def layers(
    stages: Sequence[StageCurve], smoothing: float, canvas: plot.Canvas, glyphs: Glyphs
) -> list[Layer]:
    """From the bottom to the top: a drawing for each colour. What lies beyond the axis has a mark at its edge."""
    bars: list[tuple[float, float]] = []
    told: Layer = (plot.stamp([], canvas, " "), "dim")
    boundaries: list[tuple[float, float]] = []
    raw: list[curves.Points] = []
    mean: list[curves.Points] = []
    place = canvas.y.place
    for stage in stages:
        extremes = ((step, place(low), place(high)) for step, low, high in curves.raw_extremes(stage.raw))
        raw += _thinned(extremes, stage, canvas, glyphs)
        mean += mean_lines(stage, smoothing, canvas, glyphs)
        bar = place(stage.bar)
        if bar is not None and canvas.y.low <= bar <= canvas.y.high:
            bars += [(x, bar) for x in _column_centres(stage, canvas)]
        elif bar is not None and stage.bar is not None:
            told = _bar_beyond(told, stage, bar, canvas, glyphs)
        if stage.offset > 0 and canvas.first <= stage.offset <= canvas.last:
            boundaries += upright(stage.offset, canvas)
    return [
        (plot.stamp(bars, canvas, glyphs.bar), "dim"),
        told,
        (plot.stamp(boundaries, canvas, glyphs.boundary), "faint"),
        *line_layers(raw, canvas, glyphs.curve, "raw", glyphs),
        *line_layers(mean, canvas, glyphs.mean, "mean", glyphs),
        *mark_layers(stages, canvas, "mark", glyphs),
    ]


def mean_lines(
    stage: StageCurve, smoothing: float, canvas: plot.Canvas, glyphs: Glyphs
) -> list[curves.Points]:
    """The stage's mean where it is on the canvas, in places of the axis."""
    place = canvas.y.place
    smoothed = ((step, place(value), place(value)) for step, value in curves.smooth(stage.raw, smoothing))
    return _thinned(smoothed, stage, canvas, glyphs)


def line_layers(
    lines: Iterable[curves.Points], canvas: plot.Canvas, marker: str, role: str, glyphs: Glyphs
) -> list[Layer]:
    """Lines, and the marks at the edges for what of them lies beyond."""
    inside, above, below = curves.clipped(lines, canvas.y.low, canvas.y.high)
    return [(plot.draw(inside, canvas, marker), role), *_edges(above, below, canvas, role, glyphs)]


def mark_layers(stages: Iterable[StageCurve], canvas: plot.Canvas, role: str, glyphs: Glyphs) -> list[Layer]:
    """The validation points, each on its very dot where a cell has several."""
    inside: list[tuple[float, float]] = []
    above: list[float] = []
    below: list[float] = []
    for stage in stages:
        for step, loss in stage.validation:
            x, y = stage.offset + step, canvas.y.place(curves.finite(loss))
            if y is None or not canvas.first <= x <= canvas.last:
                continue
            if canvas.y.low <= y <= canvas.y.high:
                inside.append((x, y))
            else:
                (above if y > canvas.y.high else below).append(x)
    points = plot.diamonds(inside, canvas) if glyphs.blocks else plot.stamp(inside, canvas, glyphs.validation)
    return [(points, role), *_edges(above, below, canvas, role, glyphs)]


def _edges(
    above: Iterable[float], below: Iterable[float], canvas: plot.Canvas, role: str, glyphs: Glyphs
) -> list[Layer]:
    return [
        (plot.stamp([(x, canvas.y.high) for x in above], canvas, glyphs.above), role),
        (plot.stamp([(x, canvas.y.low) for x in below], canvas, glyphs.below), role),
    ]


def _bar_beyond(told: Layer, stage: StageCurve, bar: float, canvas: plot.Canvas, glyphs: Glyphs) -> Layer:
    """Where the stage begins, at the edge: `bar 2.0` with the way to it."""
    above = bar > canvas.y.high
    words = f"{glyphs.above if above else glyphs.below} bar {stage.bar:g}"
    start = max(0, canvas.column(stage.offset) + 1)
    end = min(canvas.width, canvas.column(stage.offset + stage.steps))
    rows = list(told[0])
    at = 0 if above else canvas.height - 1
    if len(words) <= end - start:
        rows[at] = rows[at][: end - len(words)] + words + rows[at][end:]
    return rows, told[1]


def _thinned(
    series: Iterable[tuple[float, float | None, float | None]],
    stage: StageCurve,
    canvas: plot.Canvas,
    glyphs: Glyphs,
) -> list[curves.Points]:
    pixels = canvas.width * (2 if glyphs.blocks else 1)
    return curves.thin(_within(series, stage, canvas), stage.offset, canvas.span, pixels)


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
    # In a single row there is room for one label only, which says nothing.
    told = canvas.y.labels() if labelled and canvas.height > 1 else {}
    labels = {canvas.height - 1 - row: text for row, text in told.items()}
    frame: Frame = []
    for y, row in enumerate(rows):
        label = labels.get(y)
        edge = glyphs.axis_tick if label else glyphs.axis
        frame.append([(f"{label or '':>{LABEL_WIDTH - 1}} "[:LABEL_WIDTH], "dim"), (edge, "faint"), *row])
    return frame


def floor(stages: Sequence[StageCurve], canvas: plot.Canvas, glyphs: Glyphs) -> Frame:
    """The axis of steps and its labels: round steps, else those at both ends."""
    ticks = _placed_ticks(curves.x_ticks(stages, canvas.width, canvas.first, canvas.last), canvas)
    if len(ticks) < 2:
        ticks = _placed_ticks(curves.x_ends(stages, canvas.first, canvas.last), canvas)
    line = [glyphs.axis_floor] * canvas.width
    labels = [" "] * canvas.width
    for column, start, label in ticks:
        line[column] = glyphs.axis_floor_tick
        labels[start : start + len(label)] = label
    margin = " " * LABEL_WIDTH
    return [
        [(margin, "text"), (glyphs.axis_corner + "".join(line), "faint")],
        [(margin + " " + "".join(labels), "dim")],
    ]


def _placed_ticks(ticks: Iterable[tuple[float, str]], canvas: plot.Canvas) -> list[tuple[int, int, str]]:
    """(column, first column of the label, label) of those that stand clear of the ones before."""
    taken: set[int] = set()
    placed = []
    for x, label in ticks:
        column = canvas.column(x)
        start = max(0, min(column - len(label) // 2, canvas.width - len(label)))
        if taken.isdisjoint(range(start - 1, start + len(label) + 1)):
            taken.update(range(start, start + len(label)))
            placed.append((column, start, label))
    return placed


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
