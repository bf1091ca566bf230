"""What deserves an alert, as pure functions of what was read of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cockpit.alerts.alert import Alert
from cockpit.views.run_summary import NEEDS_A_HAND
from engine.runs.status import Status
from engine.runs.store.rows import Event
from engine.words.sizes import in_memory, on_disk

LOW_MEMORY = 0.97
"""Share of the memory from which there is too little left."""
LOW_DISK = 10**9
"""Bytes; less is too little for the database and the next checkpoint."""
CHECKPOINTS_AHEAD = 3
"""So many checkpoints must fit on the disk besides: the next one is written before the oldest is taken away."""


@dataclass(frozen=True, slots=True)
class StageEnd:
    """A stage that has ended: its last validation and the bar that it was to get under."""

    stage: str
    step: int
    loss: float
    bar: float | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one look at a run found. `bad_steps` are (tag, stage, step) without a finite value.

    `memory` is {name: (bytes used, bytes there are)}; `disk` the free bytes where the run lies, `checkpoint` the
    size of its newest checkpoint; None where unknown.
    """

    status: Status
    now: float
    events: Sequence[Event] = ()
    bad_steps: Sequence[tuple[str, str, int]] = ()
    ended: Sequence[StageEnd] = ()
    memory: Mapping[str, tuple[float, float]] | None = None
    disk: int | None = None
    checkpoint: int | None = None


def alerts_in(evidence: Evidence) -> list[Alert]:
    """Every alert that the evidence gives, the engine's own first."""
    return [
        *(told(event) for event in evidence.events),
        *_state(evidence),
        *_numbers(evidence),
        *_bars(evidence),
        *(_room(evidence) if evidence.status.live else ()),
    ]


def told(event: Event) -> Alert:
    """What the engine itself has raised."""
    level = "error" if event.level == "error" else "warning"
    return Alert(f"event-{event.id}", event.wall_time, level, "alert", event.message)


def _state(seen: Evidence) -> Iterator[Alert]:
    status = seen.status
    if status.stalled:
        where = f"{_name(status.stage)} step {status.step or 0:,}"
        key = f"stalled-{status.attempt}-{status.stage}-{status.step}"
        yield Alert(key, seen.now, "error", "stalled", f"no step for much longer than usual after {where}")
    if status.state in NEEDS_A_HAND:
        reason = f": {status.error}" if status.error else ""
        text = f"the engine {'crashed' if status.state == 'crashed' else 'failed'}{reason}"
        yield Alert(f"{status.state}-{status.attempt}", seen.now, "error", status.state, text)


def _numbers(seen: Evidence) -> Iterator[Alert]:
    known: set[str] = set()
    for tag, stage, step in seen.bad_steps:
        name = tag.rpartition("/")[2].replace("_", " ").replace("grad", "gradient")
        key = f"nonfinite-{seen.status.attempt}-{stage}-{tag}"
        if key not in known:  # a run that is lost would else tell it at every step
            known.add(key)
            text = f"the {name} was not a number at {_name(stage)} step {step:,}"
            yield Alert(key, seen.now, "error", f"{name} not finite", text)


def _bars(seen: Evidence) -> Iterator[Alert]:
    for end in seen.ended:
        if end.bar is not None and not end.loss < end.bar:
            text = (
                f"{_name(end.stage)} ended with a validation loss of {end.loss:.2f}, its bar is {end.bar:g}"
            )
            yield Alert(f"bar-{end.stage}-{end.step}", seen.now, "warning", "loss above its bar", text)


def _room(seen: Evidence) -> Iterator[Alert]:
    for name, (used, total) in (seen.memory or {}).items():
        if total > 0 and used / total >= LOW_MEMORY:
            text = f"{name} memory is nearly full: {in_memory(used)} of {in_memory(total)}"
            yield Alert(f"memory-{seen.status.attempt}-{name}", seen.now, "error", "low memory", text)
    if seen.disk is not None and seen.disk < disk_wanted(seen.checkpoint):
        text = f"{on_disk(seen.disk)} of disk left, {on_disk(disk_wanted(seen.checkpoint))} are needed"
        yield Alert(f"disk-{seen.status.attempt}", seen.now, "error", "low disk", text)


def disk_wanted(checkpoint: int | None) -> int:
    """Bytes that should be free, given the size of the newest checkpoint."""
    return max(LOW_DISK, CHECKPOINTS_AHEAD * (checkpoint or 0))


def not_finite(tag: str, stage: str, points: Iterable[tuple[int, float]]) -> list[tuple[str, str, int]]:
    """The points of a series that are no numbers, as `Evidence.bad_steps`."""
    return [(tag, stage, step) for step, value in points if not math.isfinite(value)]


def _name(stage: str | None) -> str:
    return f"stage {stage.removeprefix('stage_').upper()}" if stage else "the run's"
