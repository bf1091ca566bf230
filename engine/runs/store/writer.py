"""The one writer of run.db: the process that holds the run's lock."""

import math
import sqlite3
import time
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self

from engine.errors import UserError
from engine.runs.layout import RunPaths, parse_checkpoint_name
from engine.runs.lock import own_attempt
from engine.runs.machine import marks
from engine.runs.store.database import RetryingDatabase
from engine.runs.store.insert import put_sample, put_scalars, stage_id
from engine.runs.store.pending_writes import Work, Write
from engine.runs.store.rows import (
    END_STATES,
    LIVE_STATES,
    SAMPLE_JSON_KEYS,
    Command,
    GeneratedSample,
    json_from_db,
    json_to_db,
    text_from_db,
    text_to_db,
)
from engine.runs.store.supersede import supersede
from engine.runs.training_log import TrainingLog

_RECENT_STEPS = 20
_SCALAR_BYTES = 150  # of memory, about, for a scalar that waits

_PUT_PROGRESS = """
INSERT OR REPLACE INTO progress (
    id, attempt, wall_time, stage, step, steps, epoch, loss, samples_per_second, eta_seconds, eta_spread,
    memory_bytes, note, stepped, slowest_step, stepped_monotonic, eta_low, eta_high)
VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class RunWriter:
    """Writes scalars, events, samples and progress, and takes commands. Every call is one short transaction.

    Where the disk has no room, what is written waits in memory and is stored, in order, once there is some;
    a damaged database is kept aside and recovered. May be used from several threads. `open_attempt`,
    `begin_attempt` and `plan` raise UserError where the file cannot be written.
    """

    def __init__(
        self, paths: RunPaths, thorough: bool = False, training_log: TrainingLog | None = None
    ) -> None:
        """What happens is told to `training_log`, too."""
        self.paths = paths
        self._training_log = training_log
        self._attempt = 0
        self._state: tuple[str, Work] | None = None
        self._database = RetryingDatabase(paths, self._alert, Write("attempt", self._put_present), thorough)
        self._step_seconds: deque[float] = deque(maxlen=_RECENT_STEPS)
        self._place: tuple[str | None, int | None] = (None, None)
        self._stepped: tuple[float, float] | None = None  # wall time and monotonic time
        self._taken: set[int] = set()
        launched_for = own_attempt(paths)
        self._attempt = launched_for or self._last_attempt()
        self._pending = launched_for is not None  # an attempt of this process is open and not yet begun
        if self._attempt > self._last_attempt():
            self._database.now(Write("attempt", self._put_present))

    @property
    def attempt(self) -> int:
        """The attempt that rows are written for; 0 before the first."""
        return self._attempt

    @property
    def waiting(self) -> int:
        """Writes that wait for room on the disk."""
        return self._database.waiting

    def recover(self, error: UserError) -> None:
        """Put back or recover the file, which a reader could not read."""
        self._database.recover(error)

    # --- attempts and the route -------------------------------------------------------------------------

    def open_attempt(self, after: int = 0) -> int:
        """This process's attempt, before it is known where it begins: the launcher's, or a new one beyond `after`.

        Commands meant for older attempts become `void`.
        """
        if not self._pending:
            self._database.now(Write("attempt", partial(self._open_attempt, now=time.time(), after=after)))
            self._pending = True
        return self._attempt

    def begin_attempt(self, start_stage: str, start_step: int, info: Mapping[str, Any]) -> int:
        """This engine goes on after step `start_step` of `start_stage`; returns the attempt's number.

        What earlier attempts wrote beyond that position counts no longer.
        """
        self.open_attempt()
        self._step_seconds.clear()

        def begin(connection: sqlite3.Connection) -> None:
            stage = self._stage_id(connection, start_stage)
            connection.execute(
                "UPDATE attempt SET begun = ?, start_stage = ?, start_step = ?, info = json_patch(info, ?) "
                "WHERE id = ?",
                (time.time(), stage, start_step, json_to_db(dict(info)), self._attempt),
            )
            supersede(connection, stage, start_step)

        self._database.now(Write("attempt", begin))
        self.progress(start_stage, start_step)
        self._pending = False
        return self._attempt

    def plan(self, stages: Sequence[Mapping[str, Any]]) -> None:
        """The route: {"stage", "steps", "epochs", "bar", "title"} for each stage, in order, and what was planned."""
        names = [str(stage["stage"]) for stage in stages]
        plans = {name: json_to_db(dict(stage)) for name, stage in zip(names, stages, strict=True)}

        def put(connection: sqlite3.Connection) -> None:
            rows = connection.execute("SELECT name FROM stage ORDER BY position").fetchall()
            for position, name in enumerate(_merged_order([row["name"] for row in rows], names)):
                connection.execute(
                    "UPDATE stage SET position = ?, plan = ? WHERE id = ?",
                    (position, plans.get(name), self._stage_id(connection, name)),
                )

        self._database.now(Write("plan", put))

    # --- what happens -----------------------------------------------------------------------------------

    def scalars(
        self, stage: str, step: int, values: Mapping[str, float], wall_time: float | None = None
    ) -> None:
        """Record {tag: value} of one step. NaN is stored as NULL, infinities as they are."""
        if step < 0:
            raise ValueError(f"step {step} is negative")
        now = time.time() if wall_time is None else wall_time
        stored = {name: None if math.isnan(number) else float(number) for name, number in values.items()}
        work = partial(
            put_scalars,
            ids=self._database.ids,
            stage=stage,
            step=step,
            values=stored,
            attempt=self._attempt,
            now=now,
        )
        self._database.soon(Write("scalars", work, 300 + _SCALAR_BYTES * len(stored)))

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
        eta_low: float | None = None,
        eta_high: float | None = None,
    ) -> None:
        """Where the engine is now (one row, replaced). `steps` and `epoch` are the stage's."""
        now, steady = time.time(), time.monotonic()
        if (stage, step) != self._place:
            if self._stepped is not None and self._place[0] == stage:
                self._step_seconds.append(steady - self._stepped[1])
            self._place, self._stepped = (stage, step), (now, steady)
            if self._training_log and stage is not None and step is not None and loss is not None:
                self._training_log.step(stage, step, steps, loss, samples_per_second, eta_seconds)
        stepped = self._stepped or (None, None)
        told = (
            steps,
            epoch,
            loss,
            samples_per_second,
            eta_seconds,
            eta_spread,
            memory_bytes,
            text_to_db(note),
        )
        last = (stepped[0], max(self._step_seconds, default=None), stepped[1], eta_low, eta_high)
        attempt = self._attempt

        def put(connection: sqlite3.Connection) -> None:
            stage_id = None if stage is None else self._stage_id(connection, stage)
            connection.execute(_PUT_PROGRESS, (attempt, now, stage_id, step, *told, *last))

        self._database.soon(Write("progress", put, replaces=True))

    def state(self, state: str, message: str = "", **data: Any) -> None:
        """The engine enters `state`. With an end state, commands that it did not take become `void`."""
        if state not in LIVE_STATES and state not in END_STATES:
            raise ValueError(f"{state!r} is no state an engine can write")
        tell = self._event("state", message, "error" if state == "failed" else "info", state, data)
        self._state = state, tell
        # What passed in another state is not the time of a step.
        steady = time.monotonic()
        self._stepped = (time.time(), steady)

        def put(connection: sqlite3.Connection) -> None:
            tell(connection)
            connection.execute("UPDATE progress SET stepped_monotonic = ?", (steady,))
            if state in END_STATES:
                reason = f"the engine ended ({state}) before it took this"
                self._void(connection, "attempt <= ? AND taken IS NULL", reason)

        self._database.soon(Write("state", put, vital=True))

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
        work = self._event(kind, message, level, None, data, stage, step)
        self._database.soon(Write("event", work, 500 + len(message) + 2 * len(str(data))))

    def checkpoint(self, name: str, stage: str, step: int, bytes: int, kept: bool) -> None:
        """A checkpoint is on disk, whole; `kept` if rotation spares it. Told durably once there is room."""
        data = {"bytes": bytes, "kept": kept}
        work = self._event("checkpoint", f"checkpoint {name}", "info", name, data, stage, step)
        self._database.soon(Write("checkpoint", work, vital=True, durable=True))

    def sample(self, sample: GeneratedSample) -> None:
        """Replaces the same case of the same (purpose, stage, step, checkpoint, split)."""
        weights = parse_checkpoint_name(sample.checkpoint or "") or (sample.stage, sample.step)
        values: dict[str, Any] = {
            key: text_to_db(value) if isinstance(value, str) else value
            for key, value in sample.to_json().items()
        }
        values |= {key: json_to_db(values[key]) for key in SAMPLE_JSON_KEYS}
        values |= {"attempt": self._attempt, "wall_time": time.time(), "weights_step": weights[1]}
        work = partial(
            put_sample, ids=self._database.ids, values=values, stage=sample.stage, weights_stage=weights[0]
        )
        self._database.soon(
            Write("sample", work, 1000 + 2 * sum(len(str(value)) for value in values.values()))
        )

    # --- commands ---------------------------------------------------------------------------------------

    def take_commands(self) -> list[Command]:
        """The commands for this attempt that wait, oldest first; they count as taken from now on."""
        query = "SELECT * FROM command WHERE attempt = ? AND taken IS NULL ORDER BY id"
        # A command that could not be marked for want of room is taken all the same, and once.
        found = [row for row in self._database.rows(query, (self._attempt,)) if row["id"] not in self._taken]
        if not found:
            return []
        marks = [(time.time(), row["id"]) for row in found]
        self._taken.update(row["id"] for row in found)

        def mark(connection: sqlite3.Connection) -> None:
            connection.executemany("UPDATE command SET taken = ? WHERE id = ?", marks)

        self._database.soon(Write("command", mark, vital=True))
        return [
            Command(
                row["id"],
                row["attempt"],
                row["verb"],
                json_from_db(row["arguments"]) or {},
                text_from_db(row["who"]),
                row["asked"],
            )
            for row in found
        ]

    def finish_command(self, command_id: int, outcome: str, ok: bool) -> None:
        """What became of a taken command; `outcome` is one line, or the JSON asked for (`evaluate`)."""
        values = (time.time(), "done" if ok else "refused", text_to_db(outcome), command_id)

        def put(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE command SET ended = ?, state = ?, outcome = ? WHERE id = ?", values)

        self._database.soon(Write("command", put, 200 + len(outcome), vital=True))

    def close(self) -> None:
        """Let go of the database. What still waits for room gets a last chance, else it is lost and logged."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- inside: each of these is part of a transaction ---------------------------------------------------

    def _open_attempt(self, connection: sqlite3.Connection, now: float, after: int) -> None:
        cursor = connection.execute(
            "INSERT INTO attempt (id, opened, info) SELECT max(coalesce(max(id), 0), ?) + 1, ?, ? FROM attempt",
            (after, now, json_to_db(marks())),
        )
        self._attempt = cursor.lastrowid or 0
        self._void(connection, "attempt < ? AND ended IS NULL", "its engine ended before this was done")

    def _put_present(self, connection: sqlite3.Connection) -> None:
        """The attempt, which commands are meant for, and the state it is in, if they are not there any more."""
        if self._attempt:
            connection.execute(
                "INSERT OR IGNORE INTO attempt (id, opened) VALUES (?, ?)", (self._attempt, time.time())
            )
        last = connection.execute(
            "SELECT name FROM event WHERE kind = 'state' ORDER BY id DESC LIMIT 1"
        ).fetchone()
        if self._state and (last is None or last["name"] != self._state[0]):
            self._state[1](connection)

    def _last_attempt(self) -> int:
        rows = self._database.rows("SELECT coalesce(max(id), 0) AS last FROM attempt")
        return int(rows[0]["last"]) if rows else 0

    def _void(self, connection: sqlite3.Connection, condition: str, reason: str) -> None:
        connection.execute(
            "UPDATE command SET ended = ?, state = 'void', outcome = ?, taken = coalesce(taken, 0) "
            f"WHERE {condition}",
            (time.time(), reason, self._attempt),
        )

    def _alert(self, message: str) -> Write:
        return Write("event", self._event("alert", message, "warn", None, {}))

    def _event(
        self,
        kind: str,
        message: str,
        level: str,
        name: str | None,
        data: Mapping[str, Any],
        stage: str | None = None,
        step: int | None = None,
    ) -> Work:
        if self._training_log:
            self._training_log.event(kind, name, message, level, stage, step)
        attempt, now = self._attempt, time.time()
        said, more = text_to_db(message), json_to_db(dict(data))

        def put(connection: sqlite3.Connection) -> None:
            stage_id = None if stage is None else self._stage_id(connection, stage)
            connection.execute(
                "INSERT INTO event (attempt, wall_time, kind, level, stage, step, name, message, data) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (attempt, now, kind, level, stage_id, step, name, said, more),
            )

        return put

    def _stage_id(self, connection: sqlite3.Connection, name: str) -> int:
        return stage_id(connection, self._database.ids, name)


def _merged_order(known: Sequence[str], planned: Sequence[str]) -> list[str]:
    """The planned stages in their order; known others stay before or after them as they were."""
    first = next((place for place, name in enumerate(known) if name in planned), len(known))
    before = [name for name in known[:first] if name not in planned]
    after = [name for name in known[first:] if name not in planned]
    return [*before, *planned, *after]
