"""The loss of several runs over each other, each with a letter of its own besides its colour."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cockpit.screens.runs.actions import MARK
from cockpit.screens.runs.runs_table import MARKS
from cockpit.screens.runs.state import RunCurves
from cockpit.toolkit.charts import curves, plot
from cockpit.toolkit.charts.axes import log_axis, y_axis
from cockpit.toolkit.charts.chart import (
    FURNITURE,
    LABEL_WIDTH,
    Layer,
    floor,
    framed,
    line_layers,
    mark_layers,
    mean_lines,
    merge,
    upright,
)
from cockpit.toolkit.charts.curves import StageCurve
from cockpit.toolkit.diffing import DiffingWidget
from cockpit.toolkit.glyphs import UNICODE, Glyphs
from cockpit.toolkit.lines import Frame, Line, clean, clip, cut
from cockpit.views.metrics import LOSS, Metric
from engine.runs.store.rows import Bucket

SMOOTHING = 0.9


@dataclass(frozen=True, slots=True)
class OverlayData:
    """`marked` tells whether these runs were chosen, or only lie under the cursor."""

    runs: tuple[RunCurves, ...] = ()
    marked: bool = False
    metric: Metric = LOSS
    log: bool = False


class Overlay(DiffingWidget):
    """Draws again only for other data: the drawing is the dearest thing on its screen."""

    DEFAULT_CSS = "Overlay { height: 1fr; min-height: 3; }"

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._data = OverlayData()

    def show(self, data: OverlayData) -> None:
        if data != self._data:
            self._data = data
            self.redraw()

    def frame(self, width: int, height: int) -> Frame:
        return overlay_frame(self._data, width, height, self._glyphs)


def overlay_frame(data: OverlayData, width: int, height: int, glyphs: Glyphs) -> Frame:
    """A legend, then the means over a common axis, every stage beginning at the same place for all runs."""
    runs, route = aligned(data.runs)
    legend = clip(_legend(data, glyphs), width)
    needed = [
        extent
        for run in runs
        if (extent := curves.needed_range(run.curves, SMOOTHING, positive=data.log)) is not None
    ]
    rows = max(1, height - FURNITURE)
    whole = (min(low for low, _ in needed), max(high for _, high in needed)) if needed else None
    axis = log_axis(whole, None, rows) if data.log else y_axis(whole, None, rows)
    canvas = plot.Canvas(width - LABEL_WIDTH - 1, height - FURNITURE, 0.0, float(_steps(route)), axis)
    if canvas.width < 4 or canvas.height < 1:
        return [legend][:height]
    if not needed:
        empty: Frame = [legend, [], [(f" no {data.metric.name} recorded yet", "dim")]]
        return empty[:height]
    drawn: list[Layer] = [
        (plot.stamp(upright(stage.offset, canvas), canvas, glyphs.boundary), "faint")
        for stage in route
        if stage.offset > 0
    ]
    ends: list[tuple[int, int]] = []
    for index, run in enumerate(runs):
        role = f"curve_{index % len(MARKS) + 1}"
        lines = [line for curve in run.curves for line in mean_lines(curve, SMOOTHING, canvas, glyphs)]
        drawn += line_layers(lines, canvas, glyphs.mean, role, glyphs)
        drawn += mark_layers(run.curves, canvas, role, glyphs)
        ends.append(_end(lines, canvas, ends))
    # All letters lie over all lines: a run that ended early must still be found.
    drawn += [_letter(end, index, canvas) for index, end in enumerate(ends) if end != NOWHERE]
    return [legend, *framed(merge(drawn, canvas), canvas, glyphs), *floor(route, canvas, glyphs)]


NOWHERE = (-1, -1)


def aligned(runs: Sequence[RunCurves]) -> tuple[list[RunCurves], tuple[StageCurve, ...]]:
    """The runs with each stage at the place where the longest of them needs it to begin, and that route."""
    longest: dict[str, int] = {}
    for run in runs:
        for curve in run.curves:
            longest[curve.stage] = max(curve.steps, longest.get(curve.stage, 0))
    route: list[StageCurve] = []
    for stage in sorted(longest):  # stage_a comes before stage_b, whichever of the runs has them
        route.append(StageCurve(stage, _steps(route), longest[stage], None))
    offsets = {stage.stage: stage.offset for stage in route}
    moved = [
        replace(run, curves=tuple(replace(curve, offset=offsets[curve.stage]) for curve in run.curves))
        for run in runs
    ]
    return moved, tuple(route)


def twin(runs: Sequence[RunCurves], index: int) -> int | None:
    """The first of the runs before that has the same curve, as far as both go; None if there is none."""
    for before in range(index):
        if _alike(runs[before].curves, runs[index].curves):
            return before
    return None


def _alike(some: Sequence[StageCurve], others: Sequence[StageCurve]) -> bool:
    by_stage = {curve.stage: curve.raw for curve in others}
    pairs = [(curve.raw, by_stage.get(curve.stage, ())) for curve in some]
    compared = [same_buckets(one, other) for one, other in pairs if one and other]
    return bool(compared) and all(compared)


def same_buckets(some: Sequence[Bucket], others: Sequence[Bucket]) -> bool:
    """Whether two series agree wherever a bucket of one holds whole buckets of the other."""
    wide, narrow = sorted((some, others), key=lambda one: one[0].step_hi - one[0].step_lo, reverse=True)
    at = {bucket.step_lo: place for place, bucket in enumerate(narrow)}
    found = False
    for bucket in wide:
        first = at.get(bucket.step_lo)
        if first is None:
            continue
        last = first
        while last + 1 < len(narrow) and narrow[last + 1].step_hi <= bucket.step_hi:
            last += 1
        parts = narrow[first : last + 1]
        if parts[-1].step_hi != bucket.step_hi:
            continue
        steps = [part.step_hi - part.step_lo + 1 for part in parts]
        mean = math.fsum(part.mean * n for part, n in zip(parts, steps, strict=True)) / sum(steps)
        if math.isnan(mean) and math.isnan(bucket.mean):
            continue
        if not math.isclose(mean, bucket.mean, rel_tol=1e-9):
            return False
        found = True
    return found


def _end(
    lines: Sequence[curves.Points], canvas: plot.Canvas, taken: Sequence[tuple[int, int]]
) -> tuple[int, int]:
    """Column and row of the run's letter: where it ends, or left of the letters that stand there."""
    last = next((line[-1] for line in reversed(lines) if line), None)
    if last is None:
        return NOWHERE
    column = min(max(canvas.column(last[0]), 0), canvas.width - 1)
    row = min(max(canvas.row(last[1]), 0), canvas.height - 1)
    while (column, row) in taken and column > 0:
        column -= 1
    return column, row


def _letter(end: tuple[int, int], index: int, canvas: plot.Canvas) -> Layer:
    column, row = end
    rows = [" " * canvas.width] * canvas.height
    rows[row] = rows[row][:column] + MARKS[index % len(MARKS)] + rows[row][column + 1 :]
    return rows, f"curve_{index % len(MARKS) + 1}"


def _legend(data: OverlayData, glyphs: Glyphs) -> Line:
    line: Line = [(f" {data.metric.name}{', log' if data.log else ''}, mean 0.9   ", "strong")]
    for index, run in enumerate(data.runs):
        name = cut(clean(run.run), 24, glyphs.ellipsis)
        same = twin(data.runs, index)
        line += [
            (f"{MARKS[index % len(MARKS)]} {glyphs.mean_sample}", f"curve_{index % len(MARKS) + 1}"),
            (f" {name}", "text"),
            (f" = {MARKS[same % len(MARKS)]}" if same is not None else "", "warn"),
            ("   ", "text"),
        ]
    if not data.marked:
        line.append((f"{MARK.key_name} marks runs to lay over each other", "dim"))
    return line


def _steps(stages: Iterable[StageCurve]) -> int:
    return sum(stage.steps for stage in stages)
