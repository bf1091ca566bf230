"""What one look at a run finds: its state, its figures, and how an engine that is gone has ended."""

from dataclasses import dataclass
from typing import Any

from engine.runs.layout import RunPaths
from engine.runs.lock import Holder

ATTEMPT_MARK = "=== attempt "
"""Begins the line of training.log with which the launcher opens an attempt."""

NO_NOTICE = "the engine ended without notice"


_JSON_KEYS = (
    "run",
    "state",
    "stalled",
    "stage",
    "step",
    "steps",
    "epoch",
    "loss",
    "eta_seconds",
    "samples_per_second",
    "memory_bytes",
    "checkpoint",
    "pid",
    "error",
    "eta_low_seconds",
    "eta_high_seconds",
    "done_at",
    "slower_than_planned",
)


@dataclass(frozen=True, slots=True)
class Status:
    """One look at a run. Step and steps within the stage; None where unknown."""

    run: str
    state: str
    stalled: bool = False
    stage: str | None = None
    step: int | None = None
    steps: int | None = None
    epoch: float | None = None
    loss: float | None = None
    eta_seconds: float | None = None
    samples_per_second: float | None = None
    memory_bytes: int | None = None
    checkpoint: str | None = None
    pid: int | None = None
    error: str | None = None
    eta_low_seconds: float | None = None
    eta_high_seconds: float | None = None
    done_at: float | None = (
        None  # wall time at which the stage is likely done; None where that waits for a person
    )
    slower_than_planned: float | None = None  # how many times
    note: str = ""
    message: str = ""  # of the last state event
    attempt: int = 0
    since: float | None = None  # wall time of the last state event
    live: bool = False  # whether an engine holds the lock
    written: str = ""  # the last state that an engine wrote, before what the lock says
    by_signal: bool = False  # whether a signal, not a person's command, made it park

    def as_json(self) -> dict[str, Any]:
        """The object that `status --json` prints."""
        return {key: getattr(self, key) for key in _JSON_KEYS}


def status_without_database(paths: RunPaths, holder: Holder | None) -> Status:
    """A run whose database is not made yet."""
    if holder is not None:
        return Status(paths.name, "preparing", pid=holder.pid, live=True)
    return Status(paths.name, "crashed", error="the run ended before it began; start it again")
