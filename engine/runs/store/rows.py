"""What the run's database holds, as plain values."""

import json
import math
import sqlite3
from dataclasses import dataclass
from typing import Any, NamedTuple

from engine.files.json_file import without_nan

LIVE_STATES = ("preparing", "starting", "loading", "training", "evaluating", "holding", "stopping")
END_STATES = ("parked", "stopped", "finished", "failed")  # an engine's last word; `crashed` is never written

VERBS = ("hold", "continue", "park", "stop", "save", "sample", "evaluate")

SAMPLE_TEXT_KEYS = (
    "stage",
    "step",
    "checkpoint",
    "split",
    "purpose",
    "case",
    "image",
    "prompt",
    "reference",
    "generated",
)
SAMPLE_JSON_KEYS = ("labels", "labels_reference", "icd", "icd_reference", "scores")
SAMPLE_KEYS = (*SAMPLE_TEXT_KEYS, *SAMPLE_JSON_KEYS, "attempt")


class Scalar(NamedTuple):
    """One recorded value. NaN is NaN here, NULL in the database."""

    stage: str
    step: int
    tag: str
    value: float
    wall_time: float
    attempt: int


class Bucket(NamedTuple):
    """Neighbouring steps of one series. `low`, `high`, `mean` are over the finite values, NaN if none is."""

    step_lo: int
    step_hi: int
    low: float
    high: float
    mean: float


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `name` is the state or the checkpoint for events of these kinds."""

    id: int
    attempt: int
    wall_time: float
    kind: str
    level: str
    stage: str | None
    step: int | None
    name: str | None
    message: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """What someone asks of the engine of one attempt."""

    id: int
    attempt: int
    verb: str
    arguments: dict[str, Any]
    who: str
    asked: float


class Outcome(NamedTuple):
    """How a command ended: `done`, `refused` (the engine could not) or `void` (no engine lived to do it)."""

    state: str
    text: str


def value_from_db(value: float | None) -> float:
    """NULL stands for NaN."""
    return math.nan if value is None else value


def text_to_db(text: str) -> str | bytes:
    """Text as stored: itself, or bytes where a lone surrogate keeps it from being UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def text_from_db(stored: Any) -> Any:
    """The inverse of `text_to_db`; what is no text passes through."""
    return stored.decode("utf-8", "surrogatepass") if isinstance(stored, bytes) else stored


def json_to_db(value: Any) -> str:
    """ASCII JSON, so that no text in it can fail to be stored. Non-finite numbers become null."""
    return json.dumps(without_nan(value))


def json_from_db(stored: Any) -> Any:
    """The value; None where there is none, or where damage that SQLite does not see has changed its text."""
    try:
        return json.loads(stored) if stored else None
    except (TypeError, ValueError):
        return None


def event_from_db(row: sqlite3.Row) -> Event:
    return Event(
        row["id"],
        row["attempt"],
        row["wall_time"],
        row["kind"],
        row["level"],
        row["stage"],
        row["step"],
        row["name"],
        text_from_db(row["message"]),
        json_from_db(row["data"]) or {},
    )


def sample_from_db(row: sqlite3.Row) -> dict[str, Any]:
    """The row with the keys of `samples --format jsonl`, in their order."""
    sample: dict[str, Any] = {key: text_from_db(row[key]) for key in SAMPLE_TEXT_KEYS}
    sample |= {key: json_from_db(row[key]) for key in SAMPLE_JSON_KEYS}
    sample["attempt"] = row["attempt"]
    return sample
