"""What several screens say of a run: is it well, at which stage it is, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.runs.aftermath import Aftermath, aftermath
from engine.runs.layout import RunPaths
from engine.runs.status import Status
from engine.runs.store.rows import LIVE_STATES

LIVE = frozenset(LIVE_STATES)
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


def place_of(names: Sequence[str], now: str | None, last_steps: Mapping[str, int]) -> int | None:
    """Which stage of the route the run is at: the engine says, else the last one that has a step; None before any."""
    if now in names:
        return names.index(now)
    return max((place for place, name in enumerate(names) if last_steps.get(name)), default=None)


class AftermathReader:
    """The aftermath of one run, for a source that reads on a beat."""

    def __init__(self, paths: RunPaths) -> None:
        self._paths = paths
        self._known: tuple[tuple[int, str], Aftermath | None] | None = None

    def of(self, status: Status) -> Aftermath | None:
        """None for a run that did not end badly. UserError as `aftermath`."""
        end = (status.attempt, status.state)
        if self._known is None or self._known[0] != end:
            self._known = end, aftermath(self._paths, status)
        return self._known[1]
