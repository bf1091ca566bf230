"""The one writer of run.db: the process that holds the run's lock."""

import json
import math
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from engine.runs import series
from engine.runs.layout import RunPaths, parse_checkpoint_name
from engine.runs.lock import own_attempt
from engine.runs.rows import (
    END_STATES,
    LIVE_STATES,
    SAMPLE_JSON_KEYS,
    SAMPLE_KEYS,
    Command,
    json_to_db,
    text_from_db,
    text_to_db,
)
from engine.runs.schema import connect_writer, database_errors
from engine.runs.supersede import supersede

_RECENT_STEPS = 20

_ARCHIVE_ONE = """
INSERT OR REPLACE INTO scalar_superseded (stage, tag, step, attempt, wall_time, value)
SELECT stage, tag, step, attempt, wall_time, value FROM scalar
WHERE stage = ? AND tag = ? AND step = ? AND attempt < ?"""


class RunWriter:
    """Writes scalars, events, samples and progress, and takes commands. Every call is one short transaction.

    May be used from several threads. Raises UserError where the file cannot be written.
    """

    def __init__(self, paths: RunPaths) -> None:
        self.paths = paths
        self._mutex = threading.RLock()
        self._connection = connect_writer(paths.db)
        self._ids: dict[tuple[str, str], int] = {}
        self._step_seconds: deque[float] = deque(maxlen=_RECENT_STEPS)
        self._stepped: tuple[str | None, int | None, float | None] = (None, None, None)
        launched_for = own_attempt(paths)
        self._attempt = launched_for or self._last_attempt()
        self._pending = launched_for is not None  # an attempt of this process is open and not yet begun

    @property
    def attempt(self) -> int:
        """The attempt that rows are written for; 0 before the first."""
        return self._attempt

    # --- attempts and the route -------------------------------------------------------------------------

    def open_attempt(self) -> int:
        """This process's attempt, before it is known where it begins: the launcher's, or a new one.

        Commands meant for older attempts become `void`.
        """
        if self._pending:
            return self._attempt
        with self._transaction() as connection:
            cursor = connection.execute("INSERT INTO attempt (opened) VALUES (?)", (time.time(),))
            self._attempt = cursor.lastrowid or 0
            self._void("attempt < ? AND ended IS NULL", "its engine ended before this was done")
        self._pending = True
        return self._attempt

    def begin_attempt(self, start_stage: str, start_step: int, info: Mapping[str, Any]) -> int:
        """This engine goes on after step `start_step` of `start_stage`; returns the attempt's number.

        What earlier attempts wrote beyond that position counts no longer.
        """
        with self._transaction() as connection:
            self.open_attempt()
            stage = self._stage_id(start_stage)
            connection.execute(
                "UPDATE attempt SET begun = ?, start_stage = ?, start_step = ?, info = ? WHERE id = ?",
                (time.time(), stage, start_step, json_to_db(dict(info)), self._attempt),
            )
            supersede(connection, stage, start_step)
            self.progress(start_stage, start_step)
            self._step_seconds.clear()
        self._pending = False
        return self._attempt

    def plan(self, stages: Sequence[Mapping[str, Any]]) -> None:
        """The route: {"stage", "steps", "epochs", "bar", "title"} for each stage, in order."""
        names = [str(stage["stage"]) for stage in stages]
        with self._transaction() as connection:
            rows = connection.execute("SELECT name FROM stage ORDER BY position").fetchall()
            order = _merged_order([row["name"] for row in rows], names)
            plans = {name: json_to_db(dict(stage)) for name, stage in zip(names, stages, strict=True)}
            for position, name in enumerate(order):
                connection.execute(
                    "UPDATE stage SET position = ?, plan = ? WHERE id = ?",
                    (position, plans.get(name), self._stage_id(name)),
                )

    # --- what happens -----------------------------------------------------------------------------------

    def scalars(
        self, stage: str, step: int, values: Mapping[str, float], wall_time: float | None = None
    ) -> None:
        """Record {tag: value} of one step. NaN is stored as NULL, infinities as they are."""
        if step < 0:
            raise ValueError(f"step {step} is negative")
        now = time.time() if wall_time is None else wall_time
        with self._transaction() as connection:
            stage_id = self._stage_id(stage)
            fresh: list[tuple[int, float | None]] = []
            for name, number in values.items():
                value = None if math.isnan(number) else float(number)
                row = (stage_id, self._tag_id(name), step, self._attempt, now, value)
                cursor = connection.execute(
                    "INSERT INTO scalar (stage, tag, step, attempt, wall_time, value) "
                    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    row,
                )
                if cursor.rowcount:
                    fresh.append((row[1], value))
                else:
                    self._replace_scalar(row)
            series.add_points(connection, stage_id, step, fresh)

    def progress(
        self,
        stage: str | None,
        step: int | None,
        steps: int | None = None,
        epoch: float | None = None,
        loss: float | None = None,
        samples_per_second: float | None = None,
        eta_seconds: float | None = None,
        eta_spread: float | None = None,
        memory_bytes: int | None = None,
        note: str = "",
    ) -> None:
        """Where the engine is now (one row, replaced). `steps` and `epoch` are the stage's."""
        now = time.time()
        with self._transaction() as connection:
            if (stage, step) != self._stepped[:2]:
                if self._stepped[2] is not None and self._stepped[0] == stage:
                    self._step_seconds.append(now - self._stepped[2])
                self._stepped = (stage, step, now)
            connection.execute(
                "INSERT OR REPLACE INTO progress VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self._attempt,
                    now,
                    None if stage is None else self._stage_id(stage),
                    step,
                    steps,
                    epoch,
                    loss,
                    samples_per_second,
                    eta_seconds,
                    eta_spread,
                    memory_bytes,
                    text_to_db(note),
                    self._stepped[2],
                    max(self._step_seconds, default=None),
                ),
            )

    def state(self, state: str, message: str = "", **data: Any) -> None:
        """The engine enters `state`. With an end state, commands that it did not take become `void`."""
        if state not in LIVE_STATES and state not in END_STATES:
            raise ValueError(f"{state!r} is no state an engine can write")
        with self._transaction():
            self._insert_event("state", message, "error" if state == "failed" else "info", state, data)
            if state in END_STATES:
                self._void(
                    "attempt <= ? AND taken IS NULL", f"the engine ended ({state}) before it took this"
                )
            # What passed in another state is not the time of a step.
            self._stepped = (*self._stepped[:2], time.time())

    def event(
        self,
        kind: str,
        message: str,
        level: str = "info",
        stage: str | None = None,
        step: int | None = None,
        **data: Any,
    ) -> None:
        """Something worth telling: kind alert, error, note, validation, sample; level info, warn or error."""
        with self._transaction():
            self._insert_event(kind, message, level, None, data, stage, step)

    def checkpoint(self, name: str, stage: str, step: int, bytes: int, kept: bool) -> None:
        """A checkpoint is on disk, whole; `kept` if rotation spares it. Durable once this returns."""
        with self._mutex:
            self._connection.execute("PRAGMA synchronous = FULL")
            try:
                with self._transaction():
                    data = {"bytes": bytes, "kept": kept}
                    self._insert_event("checkpoint", f"checkpoint {name}", "info", name, data, stage, step)
            finally:
                self._connection.execute("PRAGMA synchronous = NORMAL")

    def sample(self, row: Mapping[str, Any]) -> None:
        """A generated sample, with the keys of `samples --format jsonl` but `attempt`.

        Replaces the same case of the same (purpose, stage, step, checkpoint, split).
        """
        expected = set(SAMPLE_KEYS) - {"attempt"}
        if set(row) != expected:
            raise ValueError(f"a sample has the keys {sorted(expected)}, not {sorted(row)}")
        weights = parse_checkpoint_name(row["checkpoint"] or "") or (row["stage"], row["step"])
        with self._transaction() as connection:
            values: dict[str, Any] = {
                key: text_to_db(value) if isinstance(value, str) else value
                for key, value in row.items()
                if key not in SAMPLE_JSON_KEYS
            }
            values |= {key: json_to_db(row[key]) for key in SAMPLE_JSON_KEYS}
            values |= {
                "stage": self._stage_id(row["stage"]),
                "attempt": self._attempt,
                "wall_time": time.time(),
                "weights_stage": self._stage_id(weights[0]),
                "weights_step": weights[1],
            }
            connection.execute(
                "UPDATE sample SET counts = 0 WHERE counts = 1 AND purpose = :purpose AND stage = :stage AND "
                'step = :step AND "case" = :case AND checkpoint IS :checkpoint AND split IS :split',
                values,
            )
            columns = ", ".join(f'"{key}"' for key in values)
            marks = ", ".join(f":{key}" for key in values)
            connection.execute(f"INSERT INTO sample ({columns}) VALUES ({marks})", values)

    # --- commands ---------------------------------------------------------------------------------------

    def take_commands(self) -> list[Command]:
        """The commands for this attempt that wait, oldest first; they count as taken from now on."""
        query = "SELECT * FROM command WHERE attempt = ? AND taken IS NULL ORDER BY id"
        with self._mutex, database_errors(self.paths.db):
            waiting = self._connection.execute(query, (self._attempt,)).fetchall()
        if not waiting:
            return []
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE command SET taken = ? WHERE id = ?", [(time.time(), row["id"]) for row in waiting]
            )
        return [
            Command(
                row["id"],
                row["attempt"],
                row["verb"],
                json.loads(row["arguments"]),
                text_from_db(row["who"]),
                row["asked"],
            )
            for row in waiting
        ]

    def finish_command(self, command_id: int, outcome: str, ok: bool) -> None:
        """What became of a taken command; `outcome` is one line, or the JSON asked for (`evaluate`)."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE command SET ended = ?, state = ?, outcome = ? WHERE id = ?",
                (time.time(), "done" if ok else "refused", text_to_db(outcome), command_id),
            )

    def close(self) -> None:
        with self._mutex:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- inside -----------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._mutex, database_errors(self.paths.db):
            if self._connection.in_transaction:  # called by another method of this writer
                yield self._connection
                return
            known = dict(self._ids)
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._ids = known  # ids made in this transaction are gone with it
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _last_attempt(self) -> int:
        with database_errors(self.paths.db):
            return int(self._connection.execute("SELECT coalesce(max(id), 0) FROM attempt").fetchone()[0])

    def _void(self, condition: str, reason: str) -> None:
        self._connection.execute(
            "UPDATE command SET ended = ?, state = 'void', outcome = ?, taken = coalesce(taken, 0) "
            f"WHERE {condition}",
            (time.time(), reason, self._attempt),
        )

    def _insert_event(
        self,
        kind: str,
        message: str,
        level: str,
        name: str | None,
        data: Mapping[str, Any],
        stage: str | None = None,
        step: int | None = None,
    ) -> None:
        self._connection.execute(
            "INSERT INTO event (attempt, wall_time, kind, level, stage, step, name, message, data) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._attempt,
                time.time(),
                kind,
                level,
                None if stage is None else self._stage_id(stage),
                step,
                name,
                text_to_db(message),
                json_to_db(dict(data)),
            ),
        )

    def _replace_scalar(self, row: tuple[int, int, int, int, float, float | None]) -> None:
        """A step told again: what an earlier attempt said of it is kept aside."""
        stage, tag, step, attempt, wall_time, value = row
        self._connection.execute(_ARCHIVE_ONE, (stage, tag, step, attempt))
        self._connection.execute(
            "UPDATE scalar SET attempt = ?, wall_time = ?, value = ? "
            "WHERE stage = ? AND tag = ? AND step = ?",
            (attempt, wall_time, value, stage, tag, step),
        )
        series.rebuild(self._connection, stage, tag, step, step)

    def _stage_id(self, name: str) -> int:
        return self._id(
            "stage",
            name,
            "INSERT INTO stage (name, position) SELECT ?, coalesce(max(position) + 1, 0) FROM stage",
        )

    def _tag_id(self, name: str) -> int:
        return self._id("tag", name, "INSERT INTO tag (name) VALUES (?)")

    def _id(self, table: str, name: str, insert: str) -> int:
        known = self._ids.get((table, name))
        if known is None:
            row = self._connection.execute(f"SELECT id FROM {table} WHERE name = ?", (name,)).fetchone()
            known = row["id"] if row else self._connection.execute(insert, (name,)).lastrowid or 0
            self._ids[table, name] = known
        return known


def _merged_order(known: Sequence[str], planned: Sequence[str]) -> list[str]:
    """The planned stages in their order; known others stay before or after them as they were."""
    first = next((place for place, name in enumerate(known) if name in planned), len(known))
    before = [name for name in known[:first] if name not in planned]
    after = [name for name in known[first:] if name not in planned]
    return [*before, *planned, *after]
