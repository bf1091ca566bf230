"""What the loss chart draws, as numbers: smoothing, thinning to the screen's columns, axes that keep still.

Everything here is a pure function of finite or non-finite floats; what is not finite becomes a gap and never
reaches the drawing engine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.runs.rows import Bucket

Points = list[tuple[float, float]]
"""(x, y), finite, x ascending."""


@dataclass(frozen=True, slots=True)
class StageCurve:
    """One stage on the chart's axis: `offset` steps come before it."""

    stage: str
    offset: int
    steps: int
    bar: float | None
    raw: tuple[Bucket, ...] = ()
    validation: tuple[tuple[int, float | None], ...] = ()


@dataclass(frozen=True, slots=True)
class YAxis:
    """The loss axis of a chart of `rows` rows: from `low`, a tick every `step`, which is `rows_a_step` rows."""

    low: float
    step: float
    rows_a_step: int
    rows: int

    @property
    def high(self) -> float:
        return self.low + self.step * max(1, self.rows - 1) / self.rows_a_step

    def ticks(self) -> list[tuple[int, float]]:
        """(row from the bottom, value)"""
        return [
            (row, self.low + index * self.step)
            for index, row in enumerate(range(0, self.rows, self.rows_a_step))
        ]


def finite(value: float | None) -> float | None:
    """The value if a chart can show it."""
    return value if value is not None and math.isfinite(value) and abs(value) <= LARGEST else None


LARGEST = 1e12
"""A loss beyond this is as good as not a number."""


def smooth(buckets: Iterable[Bucket], smoothing: float) -> list[tuple[float, float | None]]:
    """The debiased exponential mean over steps, one (step, value) a bucket; None where the bucket is a gap.

    A bucket of n steps weighs as n steps of its mean would, so that thinning does not change the smoothing.
    Dividing by the weight gathered so far takes away the pull towards zero at the start.
    """
    total = weight = 0.0
    smoothed: list[tuple[float, float | None]] = []
    for bucket in buckets:
        centre = (bucket.step_lo + bucket.step_hi) / 2
        value = finite(bucket.mean)
        if value is None:
            smoothed.append((centre, None))
            continue
        keep = smoothing ** (bucket.step_hi - bucket.step_lo + 1)
        total = keep * total + (1 - keep) * value
        weight = keep * weight + (1 - keep)
        smoothed.append((centre, total / weight))
    return smoothed


def raw_extremes(buckets: Iterable[Bucket]) -> list[tuple[float, float | None, float | None]]:
    """(step, lowest, highest) a bucket, None where it is a gap."""
    return [((b.step_lo + b.step_hi) / 2, finite(b.low), finite(b.high)) for b in buckets]


def thin(
    series: Iterable[tuple[float, float | None, float | None]], offset: float, total: float, columns: int
) -> list[Points]:
    """Unbroken stretches of (x, y), at most two points for each of `columns` columns over [0, total].

    Spikes survive: a column keeps its lowest and its highest value, the nearer to the previous column first.
    """
    stretches: list[Points] = []
    column = -1
    for step, low, high in series:
        if low is None or high is None:
            column = -1
            continue
        x = offset + step
        at = min(columns - 1, max(0, int(x / total * columns))) if total > 0 else 0
        if column == -1:
            stretches.append([(x, low), (x, high)])
        elif at == column:
            stretch = stretches[-1]
            lowest = min(low, *(y for _, y in stretch[-2:]))
            highest = max(high, *(y for _, y in stretch[-2:]))
            stretch[-2:] = _ordered(
                stretch[-2][0], lowest, highest, stretch[-3][1] if len(stretch) > 2 else lowest
            )
        else:
            stretches[-1].extend(_ordered(x, low, high, stretches[-1][-1][1]))
        column = at
    return stretches


def _ordered(x: float, low: float, high: float, previous: float) -> Points:
    """Both extremes of a column, the one nearer to the previous value first."""
    if abs(previous - high) < abs(previous - low):
        return [(x, high), (x, low)]
    return [(x, low), (x, high)]


def needed_range(curves: Sequence[StageCurve], smoothing: float) -> tuple[float, float] | None:
    """The losses that must be visible: all but the rare first spikes. None when there is nothing to show.

    The highest hundredth of the raw values may leave the chart, unless it is recent: a loss that explodes now
    must be seen.
    """
    recent: list[float] = []
    must: list[float] = []
    raw: list[float] = []
    for curve in curves:
        seen = [value for b in curve.raw for value in (finite(b.low), finite(b.high)) if value is not None]
        if seen:
            raw.extend(seen)
            recent = seen[-2 * max(1, len(seen) // 20) :]
        must.extend(value for _, value in curve.validation if finite(value) is not None and value is not None)
        mean = [value for _, value in smooth(curve.raw, smoothing) if value is not None]
        must.extend(mean[len(mean) // 10 :])
    if not raw and not must:
        return None
    must.extend(recent)
    must.extend(curve.bar for curve in curves if curve.bar is not None and (curve.raw or curve.validation))
    usual = sorted(raw)[: max(1, math.ceil(len(raw) * 0.99))]
    everything = must + usual[:1] + usual[-1:]
    return min(everything), max(everything)


def y_axis(needed: tuple[float, float] | None, previous: YAxis | None, rows: int) -> YAxis:
    """An axis that holds what is needed and changes rarely: only when it does not fit or has become small.

    Its ticks lie on whole rows, equally far apart, at round numbers.
    """
    if needed is None:
        return previous if previous and previous.rows == rows else _snug(0.0, 1.0, rows)
    low, high = needed
    if previous and previous.rows == rows and previous.low <= low and high <= previous.high:
        snug = _snug(low, high, rows)
        if snug.high - snug.low > 0.6 * (previous.high - previous.low):
            return previous
    return _snug(low, high, rows)


def _snug(low: float, high: float, rows: int) -> YAxis:
    """The axis with little air above and ticks close to each other, at least two rows apart."""
    span = max(high - low, abs(high) / 4, 1e-9)
    if 0 <= low < 0.34 * high:
        low, span = 0.0, max(high, 1e-9)
    best, least = YAxis(low, nice_step(span), max(1, rows - 1), max(1, rows)), math.inf
    step = nice_step(span / 50)
    while step < 4 * span:
        bottom = math.floor(low / step + 1e-9) * step
        spacing = int((rows - 1) * step / (max(high, bottom + span) - bottom) + 1e-9)
        axis = YAxis(bottom, step, max(1, spacing), max(1, rows))
        cost = (axis.high - high) / span + 0.03 * spacing
        if spacing >= 2 and axis.high >= high and cost < least:
            best, least = axis, cost
        step = nice_step(step * 1.01)
    return best


def nice_step(rough: float) -> float:
    """The smallest of 1, 2, 2.5, 5 × 10ⁿ that is at least `rough`."""
    if rough <= 0 or not math.isfinite(rough):
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1.0, 2.0, 2.5, 5.0, 10.0):
        if factor * power >= rough * 0.999999:
            return factor * power
    return 10.0 * power


def x_ticks(curves: Sequence[StageCurve], width: int) -> list[tuple[float, str]]:
    """(x, label) along the axis: the stage's letter where it begins, then round steps within the stage."""
    total = sum(curve.steps for curve in curves)
    if total < 1 or width < 1:
        return []
    step = max(1, int(nice_step(total / max(1, width // 11))))
    ticks: list[tuple[float, str]] = []
    for curve in curves:
        ticks.append((float(curve.offset), stage_letter(curve.stage)))
        ticks.extend(
            (float(curve.offset + at), f"{at:,}") for at in range(step, curve.steps - step // 3, step)
        )
    return ticks


def stage_letter(stage: str) -> str:
    """`A` for `stage_a`."""
    return stage.removeprefix("stage_").upper()
