"""Which of its stages a run is at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def place_of(names: Sequence[str], now: str | None, last_steps: Mapping[str, int]) -> int | None:
    """Which stage of the route the run is at: the engine says, else the last one that has a step; None before any."""
    if now in names:
        return names.index(now)
    return max((place for place, name in enumerate(names) if last_steps.get(name)), default=None)
