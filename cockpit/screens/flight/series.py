"""Series of a run as the charts of the Flight screen want them, read from the store's rollups."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cockpit.screens.flight.state import StageView, Trend, Wanted, Zoomed
from cockpit.toolkit.charts.curves import StageCurve
from cockpit.views.metrics import LOSS, TRENDS
from engine.runs.store.opening import RunReader
from engine.runs.store.rows import Bucket

TREND_COLUMNS = 96
HISTORY = 512
"""Steps read before a wanted part: beyond, even the smoothest mean remembers nothing."""


def loss_curves(reader: RunReader, stages: Sequence[StageView], columns: int) -> tuple[StageCurve, ...]:
    """The loss of every stage over all its steps."""
    return tuple(
        _curve(
            view,
            offset,
            reader.series(LOSS.tag, view.stage, columns=columns),
            _validation(reader, view),
            view.bar,
        )
        for offset, view in _placed(stages)
    )


def zoomed(reader: RunReader, stages: Sequence[StageView], wanted: Wanted) -> Zoomed:
    """A part of a series; a stage that it does not touch has no points."""
    curves = []
    for offset, view in _placed(stages):
        first, last = math.floor(wanted.first) - offset - HISTORY, math.ceil(wanted.last) - offset
        touched = first <= view.steps and last >= 0
        raw = reader.series(wanted.tag, view.stage, first, last, wanted.columns) if touched else []
        loss = wanted.tag == LOSS.tag
        curves.append(
            _curve(view, offset, raw, _validation(reader, view) if loss else (), view.bar if loss else None)
        )
    return Zoomed(wanted.tag, tuple(curves))


def trends(reader: RunReader, stages: Sequence[StageView]) -> tuple[Trend, ...]:
    """The small charts that there is something for."""
    found = []
    latest = reader.latest([metric.tag for metric in TRENDS])
    for metric in TRENDS:
        if metric.tag not in latest:
            continue
        curves = tuple(
            _curve(view, offset, reader.series(metric.tag, view.stage, columns=TREND_COLUMNS), (), None)
            for offset, view in _placed(stages)
        )
        value = latest[metric.tag].value
        found.append(Trend(metric, curves, value if math.isfinite(value) else None))
    return tuple(found)


def _placed(stages: Sequence[StageView]) -> list[tuple[int, StageView]]:
    """(steps before it, stage)"""
    placed, offset = [], 0
    for view in stages:
        placed.append((offset, view))
        offset += view.steps
    return placed


def _curve(
    view: StageView,
    offset: int,
    raw: Sequence[Bucket],
    validation: Sequence[tuple[int, float]],
    bar: float | None,
) -> StageCurve:
    return StageCurve(view.stage, offset, view.steps, bar, tuple(raw), tuple(validation))


def _validation(reader: RunReader, view: StageView) -> list[tuple[int, float]]:
    return reader.recent("val/loss", view.stage)
