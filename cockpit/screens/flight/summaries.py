"""From the rows of a run directory to what the Flight screen shows: pure functions, no reading."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping

from cockpit.screens.flight.state import CaseView, EventView, Memory, Pace
from cockpit.toolkit.figures import stage_letter
from cockpit.views.labels import Marks, marks
from engine.data.answers import prose
from engine.data.icd import dotted
from engine.data.labels import positives
from engine.runs.layout import parse_checkpoint_name
from engine.runs.status import Status
from engine.runs.store.rows import Event, GeneratedSample, Scalar

MEMORY_TAGS = {
    "process": "memory/process",
    "device": "memory/device",
    "reserved": "memory/device_reserved",
    "limit": "memory/device_limit",
    "used": "memory/system_used",
    "total": "memory/system_total",
    "utilization": "gpu/utilization",
    "swap": "memory/swap_used",
    "pressure": "memory/pressure",
    "wired": "memory/wired_limit",
}
TAGS = tuple(MEMORY_TAGS.values())
LEVELS = {"info": "info", "warn": "warning", "error": "error"}


def stage_status(index: int, now: int | None, state: str, step: int, steps: int) -> str:
    """ "ahead", "now", "done" or "stopped" for the stage at `index`, while the run is at stage `now`.

    `state` is the last one that an engine of the run has written: one that only evaluates ends nothing and begins
    nothing.
    """
    if now is None or index > now:
        return "ahead"
    if step >= steps and (index < now or state == "finished"):
        return "done"
    if index < now or state == "stopped":
        return "stopped"
    return "now"


def ended_stage_seconds(rows: Iterable[Scalar]) -> float | None:
    """The time that a stage's steps took; what lay between two engines is not counted."""
    total, previous = 0.0, None
    for row in rows:
        if previous is not None and previous.attempt == row.attempt:
            total += max(0.0, row.wall_time - previous.wall_time)
        previous = row
    return total if previous is not None else None


def memory_view(latest: Mapping[str, Scalar]) -> Memory:
    """The newest memory figures."""
    values = {name: _value(latest, tag) for name, tag in MEMORY_TAGS.items()}
    silent = tuple(name for name, tag in MEMORY_TAGS.items() if values[name] is None and tag in latest)
    return Memory(**values, silent=silent)


def pace_view(latest: Mapping[str, Scalar], status: Status) -> Pace:
    """The newest figures about speed."""
    return Pace(
        samples_per_second=status.samples_per_second,
        left=status.eta_seconds,
        low=status.eta_low_seconds,
        high=status.eta_high_seconds,
        done_at=status.done_at,
        slower=status.slower_than_planned,
    )


def _value(latest: Mapping[str, Scalar], tag: str) -> float | None:
    return latest[tag].value if tag in latest and math.isfinite(latest[tag].value) else None


def event_view(event: Event) -> EventView:
    """An event as a line: its clock time and its words."""
    clock = time.strftime("%H:%M:%S", time.localtime(event.wall_time))
    return EventView(clock, LEVELS.get(event.level, "info"), event_text(event))


def event_text(event: Event) -> str:
    """The event's message, with what its kind adds."""
    first_line = event.message.strip().split("\n")[-1] if event.kind == "error" else event.message
    where = f"stage {stage_letter(event.stage)} step {event.step:,}: " if event.stage and event.step else ""
    if event.kind == "state":
        return f"{event.name}: {event.message}" if event.message else f"{event.name}"
    if event.kind == "checkpoint":
        size = event.data.get("bytes")
        return event.message + (f", {size / 1e6:,.1f} MB" if isinstance(size, int | float) else "")
    return where + first_line


def case_view(row: GeneratedSample, place: str) -> CaseView:
    """A stored sample as the screen shows it. A stage that has no such line shows none."""
    wanted_labels = positives(row.labels_reference)
    wanted_codes = tuple(dotted(code) for code in row.icd_reference or ())
    labels: Marks | None = ()
    codes: Marks | None = ()
    if row.labels_reference:
        labels = None if row.labels is None else marks(positives(row.labels), wanted_labels)
    if row.icd_reference:
        codes = None if row.icd is None else marks([dotted(code) for code in row.icd], wanted_codes)
    return CaseView(
        case=row.case,
        stage=row.stage,
        step=row.step,
        generated=prose(row.generated, row.stage),
        reference=prose(row.reference, row.stage),
        labels=labels,
        labels_reference=wanted_labels,
        codes=codes,
        codes_reference=wanted_codes,
        place=place,
    )


def checkpoints_of(stage: str, names: Iterable[str]) -> tuple[int, ...]:
    """Steps of the stage's checkpoints, of the names of those on disk."""
    places = (parse_checkpoint_name(name) for name in names)
    return tuple(sorted(place[1] for place in places if place is not None and place[0] == stage))
