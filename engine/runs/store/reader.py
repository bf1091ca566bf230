"""Reading a run, live or long ended, and asking its engine for something."""

import functools
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from engine.errors import UserError
from engine.runs.layout import RunPaths
from engine.runs.lock import lock_holder
from engine.runs.pinned_paths import RunRemoved
from engine.runs.status import Status, status_without_database
from engine.runs.store.rows import (
    VERBS,
    Bucket,
    Event,
    GeneratedSample,
    Outcome,
    Scalar,
    event_from_db,
    json_from_db,
    json_to_db,
    sample_from_db,
    text_from_db,
    text_to_db,
    value_from_db,
)
from engine.runs.store.schema import Damaged, NotReady, connect_reader, database_errors
from engine.runs.store.series import read_columns
from engine.runs.store.status_query import read_status

_SCALARS = """
SELECT stage.name AS stage, step, tag.name AS tag, value, wall_time, attempt
FROM {table} AS scalar JOIN stage ON stage.id = scalar.stage JOIN tag ON tag.id = scalar.tag"""

_EVENTS = """
SELECT event.id, attempt, wall_time, kind, level, stage.name AS stage, step, event.name AS name, message, data
FROM event LEFT JOIN stage ON stage.id = event.stage"""

_SAMPLES = """
SELECT attempt, stage.name AS stage, step, checkpoint, split, purpose, "case", image, prompt, reference,
       generated, labels, labels_reference, icd, icd_reference, scores
FROM sample JOIN stage ON stage.id = sample.stage WHERE counts = 1"""


Answer = TypeVar("Answer")
Asked = ParamSpec("Asked")


def _anew_if_damaged(
    look: Callable[Concatenate["RunReader", Asked], Answer],
) -> Callable[Concatenate["RunReader", Asked], Answer]:
    """A look that meets damage is done once more on a new connection, before the file is accused.

    What a connection has in memory may be of a file, or of a log, that was replaced under it.
    """

    @functools.wraps(look)
    def twice(reader: "RunReader", /, *asked: Asked.args, **named: Asked.kwargs) -> Answer:
        try:
            return look(reader, *asked, **named)
        except Damaged:
            reader.reopen()
            return look(reader, *asked, **named)

    return twice


class NoEngine(Exception):
    """No engine lives that could take a command. The message is one line for the user."""


def status_of(paths: RunPaths) -> Status:
    """The run's status, with or without a database. UserError if the database cannot be read."""
    try:
        with RunReader(paths) as reader:
            return reader.status()
    except NotReady:
        return status_without_database(paths, lock_holder(paths))
    except OSError as error:
        raise UserError(f"{error.filename or paths.root}: {error.strerror}") from None


class RunReader:
    """Reads run.db beside its writer, and inserts commands. May be used from several threads.

    Raises NotReady (a UserError) where there is no database yet, UserError where it cannot be read.
    """

    def __init__(self, paths: RunPaths) -> None:
        self.paths = paths
        self._mutex = threading.RLock()
        self._connection, self._inode = self._open()

    def close(self) -> None:
        with self._mutex:
            self._connection.close()

    def reopen(self) -> None:
        """Go on with a new connection. UserError where the database cannot be read."""
        with self._mutex:
            self._connection.close()
            self._connection, self._inode = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- how it is --------------------------------------------------------------------------------------

    def status(self) -> Status:
        """The state of the run now; a few indexed queries."""
        status = self._look()
        # The lock may have been taken anew between the two looks.
        return self._look() if status.state == "crashed" else status

    @_anew_if_damaged
    def _look(self) -> Status:
        holder = lock_holder(self.paths)
        if holder is None:
            _refuse_if_gone(self.paths)
        with self._snapshot() as connection:
            return read_status(connection, self.paths, holder)

    def change_token(self) -> tuple[int, bool]:
        """Differs from the last one if anything was written, or an engine came or went. Cheap."""
        alive = lock_holder(self.paths) is not None
        return int(self._all("PRAGMA data_version")[0][0]), alive

    def stages_plan(self) -> list[dict[str, Any]]:
        """The route: {"stage", "steps", "epochs", "bar", "title"} in order; empty until it is known."""
        rows = self._all("SELECT plan FROM stage WHERE plan IS NOT NULL ORDER BY position")
        return [plan for row in rows if (plan := json_from_db(row["plan"]))]

    def attempt_info(self, attempt: int) -> dict[str, Any]:
        """What an attempt told of its machine when it began; empty if nothing is known."""
        rows = self._all("SELECT info FROM attempt WHERE id = ?", (attempt,))
        return json_from_db(rows[0]["info"]) or {} if rows else {}

    # --- scalars ----------------------------------------------------------------------------------------

    def scalars(
        self, tags: Iterable[str] | None = None, stage: str | None = None, all_attempts: bool = False
    ) -> Iterator[Scalar]:
        """One row a (stage, step, tag), of the attempt that counts, in order of the route, step, tag.

        With `all_attempts` also the superseded rows, older attempts first.
        """
        conditions, values = ["1"], []
        if tags is not None:
            names = list(tags)
            conditions.append(f"tag.name IN ({', '.join('?' * len(names))})")
            values += names
        if stage is not None:
            conditions.append("stage.name = ?")
            values.append(stage)
        where = f" WHERE {' AND '.join(conditions)}"
        current = _SCALARS.format(table="scalar")
        if all_attempts:
            superseded = _SCALARS.format(table="scalar_superseded")
            query = (
                f"SELECT * FROM ({current}{where} UNION ALL {superseded}{where}) AS every "
                "JOIN stage ON stage.name = every.stage ORDER BY stage.position, step, tag, attempt"
            )
            values += values
        else:
            query = f"{current}{where} ORDER BY stage.position, step, tag.name"
        for row in self._each(query, values):
            yield Scalar(row[0], row[1], row[2], value_from_db(row[3]), row[4], row[5])

    def tags(self) -> list[str]:
        """The names of all series."""
        return [row["name"] for row in self._all("SELECT name FROM tag ORDER BY name")]

    @_anew_if_damaged
    def extents(self, tag: str) -> list[tuple[str, int, int]]:
        """(stage, first step, last step) of a series, for each stage that has it, in order of the route."""
        found = []
        with self._snapshot() as connection:
            tag_id = _id(connection, "tag", tag)
            for row in connection.execute("SELECT id, name FROM stage ORDER BY position").fetchall():
                first, last = _extent(connection, row["id"], tag_id)
                if first is not None and last is not None:
                    found.append((row["name"], first, last))
        return found

    @_anew_if_damaged
    def series(
        self, tag: str, stage: str, first: int | None = None, last: int | None = None, columns: int = 400
    ) -> list[Bucket]:
        """The series between two steps (both included) in at most `columns` buckets, from the rollups."""
        if columns < 1:
            raise ValueError(f"{columns} columns cannot hold a series")
        with self._snapshot() as connection:
            stage_id, tag_id = _id(connection, "stage", stage), _id(connection, "tag", tag)
            known_first, known_last = _extent(connection, stage_id, tag_id)
            if known_first is None or known_last is None:
                return []
            begin = known_first if first is None else max(first, known_first)
            end = known_last if last is None else min(last, known_last)
            return read_columns(connection, stage_id, tag_id, begin, end, columns) if begin <= end else []

    @_anew_if_damaged
    def recent(
        self, tag: str, stage: str, after_step: int = -1, limit: int = 2000
    ) -> list[tuple[int, float]]:
        """The last `limit` points (step, value) beyond `after_step`, ascending; NaN where none was finite."""
        with self._snapshot() as connection:
            rows = connection.execute(
                "SELECT step, value FROM scalar WHERE stage = ? AND tag = ? AND step > ? "
                "ORDER BY step DESC LIMIT ?",
                (_id(connection, "stage", stage), _id(connection, "tag", tag), after_step, limit),
            ).fetchall()
        return [(row["step"], value_from_db(row["value"])) for row in reversed(rows)]

    @_anew_if_damaged
    def latest(self, tags: Iterable[str]) -> dict[str, Scalar]:
        """The newest point of each series that has one: of the last stage, its highest step."""
        found = {}
        with self._snapshot() as connection:
            stages = connection.execute("SELECT id, name FROM stage ORDER BY position DESC").fetchall()
            for tag in tags:
                tag_id = _id(connection, "tag", tag)
                for stage in stages:
                    row = connection.execute(
                        "SELECT step, value, wall_time, attempt FROM scalar WHERE stage = ? AND tag = ? "
                        "ORDER BY step DESC LIMIT 1",
                        (stage["id"], tag_id),
                    ).fetchone()
                    if row:
                        value = value_from_db(row["value"])
                        found[tag] = Scalar(
                            stage["name"], row["step"], tag, value, row["wall_time"], row["attempt"]
                        )
                        break
        return found

    # --- events and samples -----------------------------------------------------------------------------

    def events(self, after_id: int = 0, limit: int = 1000, kinds: Sequence[str] | None = None) -> list[Event]:
        """The first `limit` events after `after_id`, oldest first."""
        where, values = _event_filter(kinds)
        query = f"{_EVENTS} WHERE event.id > ?{where} ORDER BY event.id LIMIT ?"
        return [event_from_db(row) for row in self._all(query, (after_id, *values, limit))]

    def last_events(self, limit: int, kinds: Sequence[str] | None = None) -> list[Event]:
        """The last `limit` events, oldest first."""
        where, values = _event_filter(kinds)
        query = f"{_EVENTS} WHERE 1{where} ORDER BY event.id DESC LIMIT ?"
        return [event_from_db(row) for row in reversed(self._all(query, (*values, limit)))]

    def samples(
        self, stage: str | None = None, step: int | None = None, purpose: str | None = None
    ) -> Iterator[GeneratedSample]:
        """Generated samples that count, by stage, step, purpose."""
        asked = {"stage.name": stage, "step": step, "purpose": purpose}
        wanted = {column: value for column, value in asked.items() if value is not None}
        query = _SAMPLES + "".join(f" AND {column} = ?" for column in wanted)
        query += ' ORDER BY stage.position, step, purpose, "case", sample.id'
        for row in self._each(query, tuple(wanted.values())):
            yield sample_from_db(row)

    @_anew_if_damaged
    def last_samples(self, purpose: str = "case", stage: str | None = None) -> list[GeneratedSample]:
        """The samples of the newest step that has any of that purpose, by case."""
        with self._snapshot() as connection:
            newest = connection.execute(
                "SELECT sample.stage AS stage, step FROM sample JOIN stage ON stage.id = sample.stage "
                "WHERE counts = 1 AND purpose = ?1 AND (?2 IS NULL OR stage.name = ?2) "
                "ORDER BY stage.position DESC, step DESC LIMIT 1",
                (purpose, stage),
            ).fetchone()
            if newest is None:
                return []
            rows = connection.execute(
                f'{_SAMPLES} AND purpose = ? AND sample.stage = ? AND step = ? ORDER BY "case", sample.id',
                (purpose, newest["stage"], newest["step"]),
            ).fetchall()
        return [sample_from_db(row) for row in rows]

    # --- commands ---------------------------------------------------------------------------------------

    def request(self, verb: str, arguments: Mapping[str, Any] | None = None, who: str = "") -> int:
        """Ask the engine for something; returns the command's id. NoEngine, and no row, if none lives."""
        if verb not in VERBS:
            raise ValueError(f"{verb!r} is no command: {', '.join(VERBS)}")
        holder = lock_holder(self.paths)
        if holder is None:
            raise NoEngine(f"run {self.paths.name!r} has no engine: it is {self.status().state}")
        if holder.purpose == "evaluate":
            raise NoEngine(f"run {self.paths.name!r} is being evaluated by pid {holder.pid}, not trained")
        # On a connection of its own: one that is reading an older moment could not write.
        with (
            database_errors(self.paths.db),
            closing(connect_reader(self.paths.db, may_write=True)) as connection,
        ):
            cursor = connection.execute(
                "INSERT INTO command (attempt, verb, arguments, who, asked) "
                "SELECT coalesce(max(id), 0), ?, ?, ?, ? FROM attempt",
                (verb, json_to_db(dict(arguments or {})), text_to_db(who), time.time()),
            )
            return cursor.lastrowid or 0

    def outcome(self, command_id: int) -> Outcome | None:
        """How the command ended, or None while it has not."""
        rows = self._all(
            "SELECT state, outcome FROM command WHERE id = ? AND ended IS NOT NULL", (command_id,)
        )
        return Outcome(rows[0]["state"], text_from_db(rows[0]["outcome"])) if rows else None

    def wait_outcome(self, command_id: int, timeout: float | None = None, poll: float = 0.05) -> Outcome:
        """Wait until the command has ended, or its engine has (`void`). TimeoutError after `timeout` s."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            alive = lock_holder(self.paths) is not None
            outcome = self.outcome(command_id)
            if outcome is not None:
                return outcome
            if not alive:
                return Outcome("void", f"the engine ended before it was done: {self.status().state}")
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"command {command_id} has not ended after {timeout} s")
            time.sleep(poll)

    # --- inside -----------------------------------------------------------------------------------------

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """One moment of the database for several queries; keep it short."""
        with self._mutex, database_errors(self.paths.db):
            connection = self._current()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")

    @_anew_if_damaged
    def _all(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self._mutex, database_errors(self.paths.db):
            return self._current().execute(query, values).fetchall()

    def _current(self) -> sqlite3.Connection:
        """A connection to the file that bears the name now: a damaged one is replaced by what was recovered."""
        try:
            replaced = self.paths.db.stat().st_ino != self._inode
        except OSError:
            replaced = False
        if replaced:
            self.reopen()
        return self._connection

    def _open(self) -> tuple[sqlite3.Connection, int]:
        connection = connect_reader(self.paths.db)
        return connection, self.paths.db.stat().st_ino

    def _each(self, query: str, values: Sequence[Any]) -> Iterator[sqlite3.Row]:
        """Rows as they come, for results too long to hold; all of one moment.

        On a connection of its own, or other queries would be held in that moment too.
        """
        begun = False
        for chance in (1, 2):
            try:
                with database_errors(self.paths.db), closing(connect_reader(self.paths.db)) as connection:
                    for row in connection.execute(query, values):
                        begun = True
                        yield row
                return
            except Damaged:
                if begun or chance == 2:
                    raise


def _refuse_if_gone(paths: RunPaths) -> None:
    try:
        if paths.root.exists():
            return
        where = str(paths.root)
    except RunRemoved as gone:
        where = str(gone.filename)
    raise UserError(f"{where} is gone: the run's directory was moved or removed")


def _id(connection: sqlite3.Connection, table: str, name: str) -> int:
    """The id of a stage or tag; -1, which no row has, if it is not known."""
    row = connection.execute(f"SELECT id FROM {table} WHERE name = ?", (name,)).fetchone()
    return row["id"] if row else -1


def _extent(connection: sqlite3.Connection, stage: int, tag: int) -> tuple[int | None, int | None]:
    # Two scalar subqueries: each is one descent of the index, min and max together would be a scan.
    key = (stage, tag, stage, tag)
    row = connection.execute(
        "SELECT (SELECT min(step) FROM scalar WHERE stage = ? AND tag = ?), "
        "(SELECT max(step) FROM scalar WHERE stage = ? AND tag = ?)",
        key,
    ).fetchone()
    return row[0], row[1]


def _event_filter(kinds: Sequence[str] | None) -> tuple[str, tuple[str, ...]]:
    if kinds is None:
        return "", ()
    return f" AND kind IN ({', '.join('?' * len(kinds))})", tuple(kinds)
