"""What the run's database holds, as plain values."""

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from engine.files.json_file import without_nan

LIVE_STATES = ("preparing", "starting", "loading", "training", "evaluating", "holding", "stopping")
END_STATES = ("parked", "stopped", "finished", "failed")  # an engine's last word; `crashed` is never written

VERBS = ("hold", "continue", "park", "stop", "save", "sample", "evaluate")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedSample:
    """What the model wrote about a sample of the curriculum; the fields are the keys of `samples --format jsonl`.

    stage, step: where training stood; `checkpoint` names the weights where it is known. case: the sample's id.
    labels: all 14 names, 1 or 0; icd: codes like "10:I509"; None where the line cannot be read or the stage has none.
    scores: its own, by the ids of `engine.metrics.registry`. attempt: of the engine that stored it, 0 before that.
    """

    stage: str
    step: int
    checkpoint: str | None
    split: str | None
    purpose: str
    case: str
    image: str
    prompt: str
    reference: str
    generated: str
    labels: Mapping[str, int] | None
    labels_reference: Mapping[str, int | None] | None
    icd: Sequence[str] | None
    icd_reference: Sequence[str] | None
    scores: Mapping[str, float] | None
    attempt: int = 0

    def to_json(self) -> dict[str, Any]:
        """Its fields, in their order."""
        return {key: getattr(self, key) for key in SAMPLE_KEYS}


SAMPLE_KEYS: tuple[str, ...] = tuple(field.name for field in fields(GeneratedSample))
#: Those that the database holds as JSON.
SAMPLE_JSON_KEYS = ("labels", "labels_reference", "icd", "icd_reference", "scores")


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


def sample_from_db(row: sqlite3.Row) -> GeneratedSample:
    """The row as it was written. Texts that damage has taken are empty."""
    return GeneratedSample(
        stage=_text(row["stage"]),
        step=row["step"],
        checkpoint=text_from_db(row["checkpoint"]),
        split=text_from_db(row["split"]),
        purpose=_text(row["purpose"]),
        case=_text(row["case"]),
        image=_text(row["image"]),
        prompt=_text(row["prompt"]),
        reference=_text(row["reference"]),
        generated=_text(row["generated"]),
        labels=json_from_db(row["labels"]),
        labels_reference=json_from_db(row["labels_reference"]),
        icd=json_from_db(row["icd"]),
        icd_reference=json_from_db(row["icd_reference"]),
        scores=json_from_db(row["scores"]),
        attempt=row["attempt"],
    )


def _text(stored: Any) -> str:
    text = text_from_db(stored)
    return "" if text is None else str(text)
