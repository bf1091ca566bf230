"""Small charts of what is not the loss: throughput, learning rate, gradient norm, padding over the whole run."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cockpit.screens.flight.state import FlightState, Trend
from cockpit.toolkit import figures
from cockpit.toolkit.charts.axes import nice_step
from cockpit.toolkit.charts.curves import StageCurve, finite, robust_range
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame

NAMES = {
    "train/samples_per_second": "samples/s",
    "train/lr": "lr",
    "train/grad_norm": "gradient",
    "train/padding": "padding",
}
NAME_WIDTH, VALUE_WIDTH = 10, 9
PEAKS = frozenset({"train/grad_norm"})
"""Series of which the highest value of a column is shown, not the mean: one step out of bounds is what counts."""


def trends_frame(state: FlightState, width: int, height: int, glyphs: Glyphs) -> Frame:
    """A title, then as many rows a series as there is room for."""
    if not state.trends:
        return []
    rows = max(1, (height - 1) // len(state.trends))
    frame: Frame = [[("pace", "strong")]]
    for trend in state.trends:
        frame += trend_lines(trend, width, rows, glyphs)
    return frame[:height]


def trend_lines(trend: Trend, width: int, rows: int, glyphs: Glyphs) -> Frame:
    """Name, bars from zero, newest value; the bars line up with the steps of the loss chart."""
    room = width - NAME_WIDTH - VALUE_WIDTH
    bars = heights(column_values(trend.curves, room, trend.metric.tag in PEAKS), rows, glyphs)
    name = NAMES.get(trend.metric.tag, trend.metric.name)
    frame: Frame = []
    for row, bar in enumerate(bars):
        last = row == rows - 1
        frame.append(
            [
                (f"{name if last else '':<{NAME_WIDTH}}", "dim"),
                (bar, "raw"),
                (f"{value_of(trend) if last else '':>{VALUE_WIDTH}}", "text"),
            ]
        )
    return frame


def value_of(trend: Trend) -> str:
    """The newest value in the unit of its series."""
    if trend.newest is None:
        return "nan"
    return {
        "train/samples_per_second": figures.rate(trend.newest),
        "train/lr": f"{trend.newest:.1e}" if trend.newest else "0",
        "train/grad_norm": figures.loss(trend.newest),
        "train/padding": figures.percent(trend.newest),
    }.get(trend.metric.tag, figures.value(trend.newest))


def column_values(stages: Sequence[StageCurve], columns: int, peaks: bool) -> list[float | None]:
    """What each of `columns` columns over all steps shows; None where nothing is recorded, or no number."""
    total = sum(stage.steps for stage in stages)
    values: list[float | None] = [None] * max(0, columns)
    if total < 1 or columns < 1:
        return values
    gathered: list[list[float]] = [[] for _ in values]
    for stage in stages:
        for bucket in stage.raw:
            value = finite(bucket.high if peaks else bucket.mean)
            at = int((stage.offset + (bucket.step_lo + bucket.step_hi) / 2) / total * columns)
            if value is not None:
                gathered[min(columns - 1, max(0, at))].append(value)
    return [(max(found) if peaks else math.fsum(found) / len(found)) if found else None for found in gathered]


def heights(values: Sequence[float | None], rows: int, glyphs: Glyphs) -> list[str]:
    """Bars from zero up to a round number, in `rows` rows from the top; what is higher ends in a mark."""
    extent = robust_range(values)
    newest = next((value for value in reversed(values) if value is not None), 0.0)
    top = nice_step(max(extent[1] if extent else 0.0, newest))
    steps = len(glyphs.heights) - 1
    levels = [
        0 if value is None else max(1, min(rows * steps, round(value / top * rows * steps)))
        for value in values
    ]
    bars = [
        "".join(glyphs.heights[min(steps, max(0, level - row * steps))] for level in levels)
        for row in reversed(range(rows))
    ]
    beyond = [value is not None and value > top for value in values]
    bars[:1] = [
        "".join(glyphs.above if high else bar for bar, high in zip(row, beyond, strict=True))
        for row in bars[:1]
    ]
    return bars
