"""Rows of scalars and samples, as parts of a transaction. `ids`: the known ids of stages and tags, by name."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from engine.runs.store import series

Ids = dict[tuple[str, str], int]

_ARCHIVE_ONE = """
INSERT OR REPLACE INTO scalar_superseded (stage, tag, step, attempt, wall_time, value)
SELECT stage, tag, step, attempt, wall_time, value FROM scalar
WHERE stage = ? AND tag = ? AND step = ? AND attempt < ?"""


def put_scalars(
    connection: sqlite3.Connection,
    ids: Ids,
    stage: str,
    step: int,
    values: Mapping[str, float | None],
    attempt: int,
    now: float,
) -> None:
    """The values of one step, None for NaN, and their place in the rollups."""
    stage_key = stage_id(connection, ids, stage)
    fresh: list[tuple[int, float | None]] = []
    for name, value in values.items():
        row = (stage_key, tag_id(connection, ids, name), step, attempt, now, value)
        cursor = connection.execute(
            "INSERT INTO scalar (stage, tag, step, attempt, wall_time, value) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            row,
        )
        if cursor.rowcount:
            fresh.append((row[1], value))
        else:
            _replace_scalar(connection, row)
    series.add_points(connection, stage_key, step, fresh)


def _replace_scalar(
    connection: sqlite3.Connection, row: tuple[int, int, int, int, float, float | None]
) -> None:
    """A step told again: what an earlier attempt said of it is kept aside."""
    stage, tag, step, attempt, wall_time, value = row
    connection.execute(_ARCHIVE_ONE, (stage, tag, step, attempt))
    connection.execute(
        "UPDATE scalar SET attempt = ?, wall_time = ?, value = ? WHERE stage = ? AND tag = ? AND step = ?",
        (attempt, wall_time, value, stage, tag, step),
    )
    series.rebuild(connection, stage, tag, step, step)


def put_sample(
    connection: sqlite3.Connection, ids: Ids, values: Mapping[str, Any], stage: str, weights_stage: str
) -> None:
    """A generated sample; the same case of the same place no longer counts."""
    row = {
        **values,
        "stage": stage_id(connection, ids, stage),
        "weights_stage": stage_id(connection, ids, weights_stage),
    }
    connection.execute(
        "UPDATE sample SET counts = 0 WHERE counts = 1 AND purpose = :purpose AND stage = :stage AND "
        'step = :step AND "case" = :case AND checkpoint IS :checkpoint AND split IS :split',
        row,
    )
    columns = ", ".join(f'"{key}"' for key in row)
    connection.execute(f"INSERT INTO sample ({columns}) VALUES ({', '.join(f':{key}' for key in row)})", row)


def stage_id(connection: sqlite3.Connection, ids: Ids, name: str) -> int:
    """The stage's id; one that is new gets a row behind the others, and a place in `ids`."""
    insert = "INSERT INTO stage (name, position) SELECT ?, coalesce(max(position) + 1, 0) FROM stage"
    return _id(connection, ids, "stage", name, insert)


def tag_id(connection: sqlite3.Connection, ids: Ids, name: str) -> int:
    """The tag's id; one that is new gets a row, and a place in `ids`."""
    return _id(connection, ids, "tag", name, "INSERT INTO tag (name) VALUES (?)")


def _id(connection: sqlite3.Connection, ids: Ids, table: str, name: str, insert: str) -> int:
    known = ids.get((table, name))
    if known is None:
        row = connection.execute(f"SELECT id FROM {table} WHERE name = ?", (name,)).fetchone()
        known = row["id"] if row else connection.execute(insert, (name,)).lastrowid or 0
        ids[table, name] = known
    return known
