"""What the charts draw, as numbers: smoothing, thinning to the screen's columns, ticks.

Everything here is a pure function of finite or non-finite floats; what is not finite becomes a gap and never
reaches the drawing engine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cockpit.toolkit.charts.axes import nice_step
from cockpit.toolkit.figures import stage_letter
from engine.runs.store.rows import Bucket

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


WARM_UP = 0.1
"""Share of a stage's steps in which the loss falls from where it began: they do not rule the axis afterwards."""
FAR = 3.0
"""Quartile distances beyond the quartiles from which a value is an outlier, as Tukey's outer fences have it."""
FENCED = 8
"""Values that are needed to tell an outlier."""
RECENT = 0.05


def needed_range(
    curves: Sequence[StageCurve], smoothing: float, positive: bool = False
) -> tuple[float, float] | None:
    """The values that have a place on the axis. None when there is nothing to show.

    Of each stage those after its warm-up that are no outliers; always the newest stretch of the mean and the
    newest validation, for a loss that explodes now must be seen. A bar has its place where it does not take more
    room than all the rest. With `positive`, only values above zero count, as on a logarithmic axis.
    """
    wanted: list[float] = []
    newest: list[float] = []
    for curve in curves:
        begin = _warm_up(curve)
        settled = [bucket for bucket in curve.raw if bucket.step_lo > begin]
        raw = _kept([value for b in settled for value in (finite(b.low), finite(b.high))], positive)
        marks = _kept([finite(value) for step, value in curve.validation if step > begin], positive)
        wanted += [*_usual(raw), *_usual(marks), *marks[-1:]]
        mean = _kept([value for _, value in smooth(curve.raw, smoothing)], positive)
        if mean:
            newest = mean[-max(1, int(RECENT * len(mean))) :]
    wanted += newest
    if not wanted:
        return None
    low, high = min(wanted), max(wanted)
    room = max(high - low, abs(high) / 2)
    bars = [curve.bar for curve in curves if curve.bar is not None and (curve.raw or curve.validation)]
    near = [bar for bar in bars if low - room <= bar <= high + room and (bar > 0 or not positive)]
    return min([low, *near]), max([high, *near])


def robust_range(values: Iterable[float | None]) -> tuple[float, float] | None:
    """The lowest and the highest of a plain series that are no outliers, after its warm-up; None if there is none."""
    known = [finite(value) for value in values]
    settled = _kept(known[int(WARM_UP * len(known)) :], False) or _kept(known, False)
    usual = _usual(settled)
    return (min(usual), max(usual)) if usual else None


def _warm_up(curve: StageCurve) -> float:
    """The last step of the warm-up, once what comes after it is most of what there is; before, -1."""
    last = WARM_UP * curve.steps
    after = sum(bucket.step_lo > last for bucket in curve.raw)
    return last if curve.raw and 2 * after >= len(curve.raw) else -1.0


def _kept(values: Iterable[float | None], positive: bool) -> list[float]:
    return [value for value in values if value is not None and (value > 0 or not positive)]


def _usual(values: Sequence[float]) -> list[float]:
    """The values without outliers; of a few, which is usual cannot be told."""
    if len(values) < FENCED:
        return list(values)
    ordered = sorted(values)
    lower, upper = ordered[len(ordered) // 4], ordered[(3 * len(ordered)) // 4]
    reach = FAR * (upper - lower)
    return [value for value in values if lower - reach <= value <= upper + reach]


def clipped(
    stretches: Iterable[Points], low: float, high: float
) -> tuple[list[Points], list[float], list[float]]:
    """What of the stretches lies between `low` and `high`, and each x at which one is above, and below."""
    inside: list[Points] = []
    above: list[float] = []
    below: list[float] = []
    for stretch in stretches:
        above += [x for x, y in stretch if y > high]
        below += [x for x, y in stretch if y < low]
        current: Points = [point for point in stretch[:1] if low <= point[1] <= high]
        for before, after in pairwise(stretch):
            part = _clipped_segment(before, after, low, high)
            if part is None:
                continue
            if not current or current[-1] != part[0]:
                if current:
                    inside.append(current)
                current = [part[0]]
            current.append(part[1])
        if current:
            inside.append(current)
    return inside, above, below


def _clipped_segment(
    before: tuple[float, float], after: tuple[float, float], low: float, high: float
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """The part of a segment between two heights; None if there is none."""
    (x0, y0), (x1, y1) = before, after
    if max(y0, y1) < low or min(y0, y1) > high:
        return None

    def held(x: float, y: float) -> tuple[float, float]:
        edge = min(max(y, low), high)
        return (x, y) if edge == y else (x0 + (x1 - x0) * (edge - y0) / (y1 - y0), edge)

    return held(x0, y0), held(x1, y1)


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


def x_ends(curves: Sequence[StageCurve], first: float, last: float) -> list[tuple[float, str]]:
    """(x, label) of the first and the last whole step between two places, counted within their stages."""
    begun = [curve for curve in curves if curve.offset <= last]
    if not begun or last <= first:
        return []

    def label(x: int) -> tuple[float, str]:
        stage = next((curve for curve in reversed(begun) if curve.offset <= x), begun[0])
        within = x - stage.offset
        return float(x), f"{within:,}" if within else stage_letter(stage.stage)

    return [label(math.ceil(first)), label(math.floor(last))]
