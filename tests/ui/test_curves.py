"""Numbers behind the loss chart: whatever a run writes, a chart can be drawn."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.toolkit.charts.axes import nice_step, y_axis
from cockpit.toolkit.charts.curves import (
    StageCurve,
    needed_range,
    raw_extremes,
    smooth,
    thin,
    x_ticks,
)
from engine.runs.store.rows import Bucket


def bucket(step: int, value: float, last: int | None = None) -> Bucket:
    return Bucket(step, last or step, value, value, value)


def curve(values: list[float], **named: object) -> StageCurve:
    raw = tuple(bucket(step, value) for step, value in enumerate(values, start=1))
    return StageCurve("stage_a", 0, max(1, len(values)), None, raw, **named)  # type: ignore[arg-type]


def test_the_mean_is_debiased() -> None:
    """A constant is its own mean from the first step on."""
    smoothed = smooth([bucket(step, 3.0) for step in range(1, 5)], 0.99)
    assert [value for _, value in smoothed] == pytest.approx([3.0] * 4)


def test_the_mean_by_hand() -> None:
    (_, first), (_, second) = smooth([bucket(1, 1.0), bucket(2, 2.0)], 0.5)
    assert first == 1.0
    assert second == pytest.approx((0.25 * 1.0 + 0.5 * 2.0) / 0.75)


def test_a_bucket_weighs_as_its_steps() -> None:
    singles = smooth([bucket(1, 1.0), *(bucket(step, 2.0) for step in range(2, 6))], 0.9)
    together = smooth([bucket(1, 1.0), bucket(2, 2.0, last=5)], 0.9)
    assert together[-1][1] == pytest.approx(singles[-1][1])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None, 1e300])
def test_what_is_no_number_is_a_gap(bad: float) -> None:
    buckets = [bucket(1, 1.0), bucket(2, bad), bucket(3, 1.0)]
    assert [value for _, value in smooth(buckets, 0.9)][1] is None
    assert len(thin(raw_extremes(buckets), 0, (0, 10), 100)) == 2


@given(
    st.lists(st.floats(width=32), max_size=300),
    st.integers(1, 60),
    st.floats(0, 0.99),
)
def test_only_finite_points_come_through_and_few(values: list[float], columns: int, smoothing: float) -> None:
    series = raw_extremes(curve(values).raw)
    stretches = thin(series, 0, (0, len(values) or 1), columns)
    points = [point for stretch in stretches for point in stretch]
    assert all(math.isfinite(x) and math.isfinite(y) for x, y in points)
    if all(math.isfinite(value) and abs(value) <= 1e12 for value in values):
        assert len(points) <= 2 * columns
    assert all(value is None or math.isfinite(value) for _, value in smooth(curve(values).raw, smoothing))


def test_a_spike_survives_thinning() -> None:
    values = [1.0] * 10_000
    values[5_000] = 9.0
    points = [
        point for stretch in thin(raw_extremes(curve(values).raw), 0, (0, 10_000), 50) for point in stretch
    ]
    assert len(points) <= 100
    assert max(y for _, y in points) == 9.0


@given(
    st.floats(-1e9, 1e9),
    st.floats(0, 1e9),
    st.integers(1, 60),
)
def test_the_axis_holds_what_is_needed(low: float, extent: float, rows: int) -> None:
    axis = y_axis((low, low + extent), None, rows)
    assert math.isfinite(axis.low) and math.isfinite(axis.high) and axis.high > axis.low
    assert axis.low <= low + 1e-6 * max(abs(low), extent) + 1e-8
    if rows >= 3:
        assert axis.high >= (low + extent) * (1 - 1e-9) - 1e-9
    assert all(0 <= row < rows for row, _ in axis.ticks())


def test_ticks_are_equally_far_apart_and_round() -> None:
    axis = y_axis((0.4, 4.6), None, 10)
    rows = [row for row, _ in axis.ticks()]
    assert len({after - before for before, after in itertools.pairwise(rows)}) == 1
    assert axis.low == 0.0


def test_the_axis_keeps_still_until_it_must_move() -> None:
    first = y_axis((0.0, 4.0), None, 12)
    assert y_axis((0.0, 3.6), first, 12) is first
    assert y_axis((0.0, first.high + 0.1), first, 12) is not first
    assert y_axis((0.0, 1.0), first, 12).high < first.high


def test_early_spikes_leave_the_chart_but_recent_ones_do_not() -> None:
    early = needed_range([curve([50.0] + [1.0] * 999)], 0.0)
    recent = needed_range([curve([1.0] * 999 + [50.0])], 0.0)
    assert early == (1.0, 1.0)
    assert recent == (1.0, 50.0)


def test_nothing_to_show_needs_nothing() -> None:
    assert needed_range([], 0.9) is None
    assert needed_range([curve([math.nan, math.inf])], 0.9) is None


def test_the_bar_counts_once_there_is_a_curve() -> None:
    bare = StageCurve("stage_a", 0, 10, 2.0)
    assert needed_range([bare], 0.9) is None
    begun = StageCurve("stage_a", 0, 10, 1.4, (bucket(1, 1.0),))
    assert needed_range([begun], 0.9) == (1.0, 1.4)
    far = StageCurve("stage_a", 0, 10, 9.0, (bucket(1, 1.0),))
    assert needed_range([far], 0.9) == (1.0, 1.0)


def test_steps_are_labelled_within_their_stage() -> None:
    stages = [StageCurve("stage_a", 0, 400, None), StageCurve("stage_b", 400, 700, None)]
    ticks = x_ticks(stages, 80)
    assert ticks[0] == (0.0, "A")
    assert (400.0, "B") in ticks
    assert (600.0, "200") in ticks
    assert x_ticks([], 80) == []


@pytest.mark.parametrize(("rough", "nice"), [(0.0, 1.0), (0.11, 0.2), (0.21, 0.25), (3.0, 5.0), (7.0, 10.0)])
def test_nice_steps(rough: float, nice: float) -> None:
    assert nice_step(rough) == pytest.approx(nice)
