"""What every screen about a run says of it in its first line."""

from __future__ import annotations

from dataclasses import dataclass

from engine.runs.status import Status

LIVE = frozenset({"preparing", "starting", "loading", "training", "evaluating", "holding", "stopping"})
"""States in which an engine lives."""
NEEDS_A_HAND = frozenset({"crashed", "failed"})


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Which run, and is it well. `trouble` is why it cannot be read now."""

    run: str
    state: str = "unread"
    stalled: bool = False
    alerts: int = 0
    machine: str = ""
    trouble: str = ""

    @property
    def live(self) -> bool:
        return self.state in LIVE


def summary_of(status: Status) -> RunSummary:
    return RunSummary(status.run, status.state, status.stalled)
