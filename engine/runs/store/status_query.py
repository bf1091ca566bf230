"""The state of a run, as its lock and its database together tell it."""

import re
import sqlite3
import statistics
import time
from typing import Any

from engine.files.plain_file import open_plain
from engine.runs.layout import RunPaths
from engine.runs.lock import Holder
from engine.runs.status import ATTEMPT_MARK, NO_NOTICE, Status, status_without_database
from engine.runs.store.rows import END_STATES, json_from_db, text_from_db

STALL_FACTOR = 6.0
STALL_FLOOR_SECONDS = 90.0
STALL_CAP_SECONDS = 900.0
PACED_STEPS = 20
"""Steps whose pace is held against the plan."""
# Indented lines are source code below a warning or in a traceback.
_ROUTINE = re.compile(r"^\s|^\d+ ===$|Warning: | (DEBUG|INFO|WARNING) ")


def read_status(connection: sqlite3.Connection, paths: RunPaths, holder: Holder | None) -> Status:
    """The status from the database, given who held the lock just before it is read.

    The lock must be looked at first: an engine writes its end state before it lets go.
    """
    state_event = _last_event(connection, "kind = 'state'")
    if state_event is None:
        return status_without_database(paths, holder)
    progress = _one(
        connection,
        "SELECT progress.*, stage.name AS stage_name, stage.plan FROM progress "
        "LEFT JOIN stage ON stage.id = progress.stage",
    )
    alive = holder is not None
    state = _state(str(state_event["name"]), holder)
    figures = _figures(connection, progress, alive, state) if progress else {}
    return Status(
        run=paths.name,
        state=state,
        stalled=state == "training" and _is_stalled(progress, float(state_event["wall_time"])),
        checkpoint=_checkpoint(connection),
        pid=holder.pid if holder else None,
        error=_error(connection, paths, state, state_event),
        message=text_from_db(state_event["message"]),
        attempt=state_event["attempt"],
        since=state_event["wall_time"],
        live=alive,
        written=str(state_event["name"]),
        by_signal=bool((json_from_db(state_event["data"]) or {}).get("by_signal")),
        **figures,
    )


def _state(written: str, holder: Holder | None) -> str:
    if holder is None:
        return written if written in END_STATES else "crashed"
    if holder.purpose == "evaluate":
        return "evaluating"
    return written


def _figures(
    connection: sqlite3.Connection, progress: sqlite3.Row, alive: bool, state: str
) -> dict[str, Any]:
    plan = json_from_db(progress["plan"]) or {}
    figures: dict[str, Any] = {
        "stage": progress["stage_name"],
        "step": progress["step"],
        "steps": progress["steps"] if progress["steps"] is not None else plan.get("steps"),
        "epoch": progress["epoch"],
        "loss": progress["loss"],
    }
    if alive or state == "parked":
        figures |= _time_left(progress, state)
    if alive:
        figures |= {
            "slower_than_planned": _slower_than(plan.get("planned_samples_per_second"), connection, progress),
            "samples_per_second": progress["samples_per_second"],
            "memory_bytes": progress["memory_bytes"],
            "note": text_from_db(progress["note"]),
        }
    return figures


def _time_left(progress: sqlite3.Row, state: str) -> dict[str, float | None]:
    """What the engine told after its last step; a run that rests takes as long, from whenever it goes on."""
    left = progress["eta_seconds"]
    # An engine of an older version has no such columns, and it lives: the table stays as it is.
    has_range = "eta_low" in progress.keys()  # noqa: SIM118
    return {
        "eta_seconds": left,
        "eta_low_seconds": progress["eta_low"] if has_range else None,
        "eta_high_seconds": progress["eta_high"] if has_range else None,
        "done_at": progress["wall_time"] + left
        if left is not None and state in ("training", "evaluating")
        else None,
    }


def _slower_than(planned: Any, connection: sqlite3.Connection, progress: sqlite3.Row) -> float | None:
    """How many times slower the latest steps were than planned: their median, which no single step moves."""
    if not isinstance(planned, int | float) or planned <= 0:
        return None
    rows = connection.execute(
        "SELECT value FROM scalar WHERE stage = ? AND tag = "
        "(SELECT id FROM tag WHERE name = 'train/samples_per_second') ORDER BY step DESC LIMIT ?",
        (progress["stage"], PACED_STEPS),
    ).fetchall()
    rates = [row["value"] for row in rows if row["value"] is not None and row["value"] > 0]
    return planned / statistics.median(rates) if rates else None


def _is_stalled(progress: sqlite3.Row | None, since: float) -> bool:
    slowest = progress["slowest_step"] if progress else None
    if slowest is None:
        budget = STALL_CAP_SECONDS
    else:
        budget = min(max(STALL_FACTOR * slowest, STALL_FLOOR_SECONDS), STALL_CAP_SECONDS)
    return _idle_seconds(progress, since) > budget


def _idle_seconds(progress: sqlite3.Row | None, since: float) -> float:
    """Since the last step or change of state; by the steady clock, where the engine told it."""
    # An engine of an older version has no such column, and it lives: the table stays as it is.
    if progress and "stepped_monotonic" in progress.keys() and progress["stepped_monotonic"]:  # noqa: SIM118
        return time.monotonic() - float(progress["stepped_monotonic"])
    return time.time() - max(since, (progress["stepped"] if progress else None) or 0.0)


def _checkpoint(connection: sqlite3.Connection) -> str | None:
    event = _last_event(connection, "kind = 'checkpoint' AND counts = 1")
    return event["name"] if event else None


def _error(
    connection: sqlite3.Connection, paths: RunPaths, state: str, state_event: sqlite3.Row
) -> str | None:
    if state not in ("failed", "crashed"):
        return None
    told = _last_event(connection, f"kind = 'error' AND attempt = {int(state_event['attempt'])}")
    if told is not None:
        return str(text_from_db(told["message"]))
    if state == "failed":
        return str(text_from_db(state_event["message"])) or None
    last_words = _last_words(paths)
    ended = f"{NO_NOTICE} (last state: {state_event['name']})"
    return f"{ended}; last line of {paths.log.name}: {last_words}" if last_words else ended


def _last_words(paths: RunPaths) -> str:
    """What a dying engine may have said: the last line of its log that is neither routine nor a warning."""
    try:
        with open_plain(paths.log, "rb", links=False) as log:
            log.seek(max(0, log.seek(0, 2) - 4096))
            said = log.read().decode(errors="replace").rpartition(ATTEMPT_MARK)[2]
    except OSError:
        return ""
    words = [line for line in said.splitlines() if line.strip() and not _ROUTINE.search(line)]
    last = words[-1].strip() if words else ""
    return "".join(character if character.isprintable() else " " for character in last)[:300]


def _last_event(connection: sqlite3.Connection, condition: str) -> sqlite3.Row | None:
    return _one(connection, f"SELECT * FROM event WHERE {condition} ORDER BY id DESC LIMIT 1")


def _one(connection: sqlite3.Connection, query: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(query).fetchone()
    return row
