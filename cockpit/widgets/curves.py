"""What the charts draw, as numbers: smoothing, thinning to the screen's columns, ticks.

Everything here is a pure function of finite or non-finite floats; what is not finite becomes a gap and never
reaches the drawing engine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cockpit.widgets.axes import nice_step
from engine.runs.rows import Bucket

SMOOTHINGS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Weights of the past in the mean, from none to smoothest."""

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
    series: Iterable[tuple[float, float | None, float | None]],
    offset: float,
    span: tuple[float, float],
    columns: int,
) -> list[Points]:
    """Unbroken stretches of (x, y), at most two points for each of `columns` columns over `span`.

    Spikes survive: a column keeps its lowest and its highest value, the nearer to the previous column first.
    """
    stretches: list[Points] = []
    column = -1
    first, total = span[0], span[1] - span[0]
    for step, low, high in series:
        if low is None or high is None:
            column = -1
            continue
        x = offset + step
        at = min(columns - 1, max(0, int((x - first) / total * columns))) if total > 0 else 0
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


def needed_range(
    curves: Sequence[StageCurve], smoothing: float, positive: bool = False
) -> tuple[float, float] | None:
    """The values that must be visible: all but the rare first spikes. None when there is nothing to show.

    The highest hundredth of the raw values may leave the chart, unless it is recent: a loss that explodes now
    must be seen. With `positive`, only values above zero count, as on a logarithmic axis.
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
    if positive:
        everything = [value for value in (*must, *usual) if value > 0]
    return (min(everything), max(everything)) if everything else None


def x_ticks(
    curves: Sequence[StageCurve], width: int, first: float = 0.0, last: float | None = None
) -> list[tuple[float, str]]:
    """(x, label) along the axis from `first` to `last`, by default all of it.

    The stage's letter where it begins, then round steps within the stage.
    """
    end = float(sum(curve.steps for curve in curves)) if last is None else last
    if end <= first or width < 1:
        return []
    step = max(1, int(nice_step((end - first) / max(1, width // 11))))
    ticks: list[tuple[float, str]] = []
    for curve in curves:
        if first <= curve.offset <= end:
            ticks.append((float(curve.offset), stage_letter(curve.stage)))
        begin = max(step, math.ceil((first - curve.offset) / step) * step)
        stop = min(curve.steps - step // 3, int(end - curve.offset) + 1)
        ticks.extend((float(curve.offset + at), f"{at:,}") for at in range(begin, stop, step))
    return ticks


def stage_letter(stage: str) -> str:
    """`A` for `stage_a`."""
    return stage.removeprefix("stage_").upper()
