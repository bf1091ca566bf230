"""What every screen about a run says of it in its first line."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.screens.flight.state import LIVE
from engine.runs.status import Status


@dataclass(frozen=True, slots=True)
class Brief:
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


def brief_of(status: Status) -> Brief:
    return Brief(status.run, status.state, status.stalled)
