"""Rollups: a series summed up in powers of 16, so that a million steps draw in milliseconds.

The writer keeps them right with every row; the reader takes for each column of the chart the coarsest
level that still fits into it.
"""

import math
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from engine.runs.store.rows import Bucket

BASE = 16
LEVELS = (1, 2, 3)

_LARGEST = 1.7976931348623157e308

_ADD = """
INSERT INTO rollup (stage, tag, level, bucket, step_lo, step_hi, finite, low, high, total)
VALUES (:stage, :tag, :level, :bucket, :step, :step, :finite, :value, :value, :total)
ON CONFLICT DO UPDATE SET
    step_lo = min(step_lo, excluded.step_lo), step_hi = max(step_hi, excluded.step_hi),
    finite = finite + excluded.finite, total = total + excluded.total,
    low = min(coalesce(low, excluded.low), coalesce(excluded.low, low)),
    high = max(coalesce(high, excluded.high), coalesce(excluded.high, high))"""

_SUM_UP = f"""
INSERT OR REPLACE INTO rollup (stage, tag, level, bucket, step_lo, step_hi, finite, low, high, total)
SELECT stage, tag, :level, step / :width AS bucket, min(step), max(step),
       count(finite), min(finite), max(finite), total(finite)
FROM (SELECT stage, tag, step, CASE WHEN abs(value) <= {_LARGEST!r} THEN value END AS finite FROM scalar
      WHERE stage = :stage AND tag = :tag AND step BETWEEN :first AND :last)
GROUP BY bucket"""

_COLUMNS_FROM_ROLLUP = """
SELECT (bucket * :unit - :origin) / :width, min(step_lo), max(step_hi),
       sum(finite), min(low), max(high), total(total)
FROM rollup WHERE stage = :stage AND tag = :tag AND level = :level AND bucket BETWEEN :first AND :last
GROUP BY 1 ORDER BY 1"""

_COLUMNS_FROM_SCALAR = f"""
SELECT (step - :origin) / :width, min(step), max(step), count(finite), min(finite), max(finite), total(finite)
FROM (SELECT step, CASE WHEN abs(value) <= {_LARGEST!r} THEN value END AS finite FROM scalar
      WHERE stage = :stage AND tag = :tag AND step BETWEEN :first AND :last)
GROUP BY 1 ORDER BY 1"""


def add_points(
    connection: sqlite3.Connection, stage: int, step: int, values: Iterable[tuple[int, float | None]]
) -> None:
    """Take up new rows of `scalar`, (tag id, value), into every level."""
    rows = []
    for tag, value in values:
        finite = value if value is not None and math.isfinite(value) else None
        rows += [
            {
                "stage": stage,
                "tag": tag,
                "level": level,
                "bucket": step // BASE**level,
                "step": step,
                "finite": int(finite is not None),
                "value": finite,
                "total": finite or 0.0,
            }
            for level in LEVELS
        ]
    connection.executemany(_ADD, rows)


def rebuild(connection: sqlite3.Connection, stage: int, tag: int, first: int, last: int) -> None:
    """Sum up anew the buckets that hold the steps `first` … `last`, after rows in them were changed."""
    for level in LEVELS:
        width = BASE**level
        low, high = first // width, last // width
        key = {"stage": stage, "tag": tag, "level": level, "width": width}
        connection.execute(
            "DELETE FROM rollup WHERE stage = ? AND tag = ? AND level = ? AND bucket BETWEEN ? AND ?",
            (stage, tag, level, low, high),
        )
        connection.execute(_SUM_UP, key | {"first": low * width, "last": (high + 1) * width - 1})


def cut_after(connection: sqlite3.Connection, stage: int, step: int) -> None:
    """Follow `scalar`, from which the rows of `stage` beyond `step` (-1: all) were taken away."""
    for level in LEVELS:
        connection.execute(
            "DELETE FROM rollup WHERE stage = ? AND level = ? AND bucket > ?",
            (stage, level, step // BASE**level),
        )
    tags = connection.execute("SELECT DISTINCT tag FROM rollup WHERE stage = ?", (stage,)).fetchall()
    for (tag,) in tags:
        rebuild(connection, stage, tag, step, step)


def read_columns(
    connection: sqlite3.Connection, stage: int, tag: int, first: int, last: int, columns: int
) -> list[Bucket]:
    """Steps `first` … `last` in at most `columns` buckets of equal width, empty ones left out."""
    level, width, origin = _plan(first, last, columns)
    unit = BASE**level
    key = {"stage": stage, "tag": tag, "origin": origin, "width": width, "unit": unit, "level": level}
    if level == 0:
        return _merge(_read(connection, _COLUMNS_FROM_SCALAR, key, first, last))
    inner_first, inner_last = -(-first // unit), (last + 1) // unit - 1
    if inner_last < inner_first:
        return _merge(_read(connection, _COLUMNS_FROM_SCALAR, key, first, last))
    return _merge(
        [
            *_read(connection, _COLUMNS_FROM_SCALAR, key, first, inner_first * unit - 1),
            *_read(connection, _COLUMNS_FROM_ROLLUP, key, inner_first, inner_last),
            *_read(connection, _COLUMNS_FROM_SCALAR, key, (inner_last + 1) * unit, last),
        ]
    )


def _plan(first: int, last: int, columns: int) -> tuple[int, int, int]:
    """(level, column width in steps, first step of column 0): widths are whole buckets of the level."""
    width = -(-(last - first + 1) // columns)
    level = max((level for level in LEVELS if BASE**level <= width), default=0)
    unit = BASE**level
    origin = first - first % unit
    width = -(-(last - origin + 1) // columns)
    return level, -(-width // unit) * unit, origin


def _read(
    connection: sqlite3.Connection, query: str, key: dict[str, int], first: int, last: int
) -> list[Sequence[Any]]:
    return connection.execute(query, key | {"first": first, "last": last}).fetchall()


def _merge(rows: Iterable[Sequence[Any]]) -> list[Bucket]:
    """Join the parts of each column: rows (column, step_lo, step_hi, finite, low, high, total), by step."""
    merged: dict[int, list[Any]] = {}
    for column, step_lo, step_hi, finite, low, high, total in rows:
        known = merged.get(column)
        if known is None:
            merged[column] = [step_lo, step_hi, finite, low, high, total]
            continue
        known[1] = step_hi
        known[2] += finite
        known[3] = min((v for v in (known[3], low) if v is not None), default=None)
        known[4] = max((v for v in (known[4], high) if v is not None), default=None)
        known[5] += total
    return [
        Bucket(lo, hi, low, high, total / finite) if finite else Bucket(lo, hi, math.nan, math.nan, math.nan)
        for lo, hi, finite, low, high, total in merged.values()
    ]
