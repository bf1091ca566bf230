"""Rollups say what the rows say."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.runs.layout import RunPaths, create_run
from engine.runs.store import series
from engine.runs.store.opening import RunReader, RunWriter, open_reader, open_writer
from engine.runs.store.rows import Bucket

VALUES = st.floats(-1e6, 1e6, allow_subnormal=False) | st.sampled_from([math.nan, math.inf, -math.inf])
POINTS = st.lists(st.tuples(st.integers(0, 9000), VALUES), max_size=120)


@contextmanager
def instructions(reader: RunReader) -> Iterator[list[int]]:
    """What SQLite does meanwhile, by its own count, in hundreds."""
    spent: list[int] = []
    reader._connection.set_progress_handler(lambda: spent.append(1), 100)
    yield spent
    reader._connection.set_progress_handler(None, 100)


def brute_force(points: list[tuple[int, float]]) -> Bucket:
    steps = [step for step, _ in points]
    finite = [value for _, value in points if math.isfinite(value)]
    if not finite:
        return Bucket(min(steps), max(steps), math.nan, math.nan, math.nan)
    return Bucket(min(steps), max(steps), min(finite), max(finite), math.fsum(finite) / len(finite))


def check(
    reader: RunReader, stage: str, first: int | None = None, last: int | None = None, columns: int = 7
) -> None:
    """Every bucket is what its rows say, and together they hold every row of the range once."""
    rows = [(row.step, row.value) for row in reader.scalars(["a"], stage)]
    asked = [
        (step, value)
        for step, value in rows
        if (first is None or step >= first) and (last is None or step <= last)
    ]
    buckets = reader.series("a", stage, first, last, columns)
    assert len(buckets) <= columns
    assert all(left.step_hi < right.step_lo for left, right in pairwise(buckets))
    held = 0
    for bucket in buckets:
        inside = [(step, value) for step, value in asked if bucket.step_lo <= step <= bucket.step_hi]
        held += len(inside)
        assert bucket == pytest.approx(brute_force(inside), rel=1e-9, abs=1e-6, nan_ok=True)
    assert held == len(asked)


Fresh = Callable[[], RunPaths]


@pytest.fixture
def fresh(tmp_path: Path) -> Fresh:
    numbers = iter(range(10**6))
    return lambda: create_run(tmp_path, f"run{next(numbers)}")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    attempts=st.lists(
        st.tuples(st.sampled_from(["s", "t"]), st.integers(0, 9000), POINTS), min_size=1, max_size=4
    ),
    first=st.none() | st.integers(0, 9000),
    length=st.none() | st.integers(0, 9000),
    columns=st.integers(1, 40),
)
def test_rollups_equal_brute_force_after_any_attempts(
    fresh: Fresh,
    attempts: list[tuple[str, int, list[tuple[int, float]]]],
    first: int | None,
    length: int | None,
    columns: int,
) -> None:
    paths = fresh()
    last = None if length is None else (first or 0) + length
    with open_writer(paths) as writer, open_reader(paths) as reader:
        writer._database.connection.execute("PRAGMA synchronous = OFF")
        writer.plan([{"stage": "s"}, {"stage": "t"}])
        for stage, start, points in attempts:
            writer.begin_attempt(stage, start, {})
            check(reader, "s", first, last, columns)
            check(reader, "t", first, last, columns)
            for step, value in points:
                writer.scalars(stage, step, {"a": value})
            check(reader, stage, first, last, columns)


def test_one_column_and_more_columns_than_steps(writer: RunWriter, reader: RunReader) -> None:
    for step in range(1, 31):
        writer.scalars("s", step, {"a": float(step)})
    assert reader.series("a", "s", columns=1) == [Bucket(1, 30, 1.0, 30.0, 15.5)]
    assert reader.series("a", "s", columns=100) == [Bucket(n, n, n, n, n) for n in range(1, 31)]
    assert reader.series("a", "s", first=31) == []
    assert reader.series("a", "s", first=5, last=4) == []
    with pytest.raises(ValueError, match="columns"):
        reader.series("a", "s", columns=0)


def test_a_million_steps_draw_in_milliseconds(writer: RunWriter, reader: RunReader) -> None:
    steps = 1_000_000
    writer.scalars("s", 0, {"a": 0.0})
    connection = writer._database.connection
    connection.execute("BEGIN")
    connection.execute(
        "WITH RECURSIVE n(step) AS (SELECT 1 UNION ALL SELECT step + 1 FROM n WHERE step < ?) "
        "INSERT INTO scalar SELECT 1, 1, step, 1, 0.0, step % 1000 FROM n",
        (steps,),
    )
    connection.execute("DELETE FROM rollup")
    for level in series.LEVELS:
        key = {"stage": 1, "tag": 1, "level": level, "width": series.BASE**level, "first": 0, "last": steps}
        connection.execute(series._SUM_UP, key)
    connection.execute("COMMIT")
    reader.series("a", "s")
    for first, last in [(None, None), (123_457, 987_653), (500_001, 509_999)]:
        with instructions(reader) as spent:
            buckets = reader.series("a", "s", first, last, columns=400)
        assert 200 <= len(buckets) <= 400
        assert buckets[0].step_lo == (first or 0) and buckets[-1].step_hi == (last or steps)
        assert 0 < 100 * sum(spent) < steps / 2  # far from a look at every row
    writer.scalars("s", steps + 1, {"a": 1.0})
