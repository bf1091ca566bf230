"""A plan to fix findings: what is run, what it changes, and what shows that the result fits together."""

from __future__ import annotations

from dataclasses import dataclass

from engine.setup_check.versions import parsed


@dataclass(frozen=True, slots=True)
class Change:
    """One package before and after; None where it is not there."""

    name: str
    before: str | None
    after: str | None

    @property
    def lowers(self) -> bool:
        """Whether something is taken away: a newer release, or the package."""
        if self.after is None:
            return True
        before, after = parsed(self.before or ""), parsed(self.after)
        return before is not None and after is not None and after < before


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be run, what it changes, and what shows that the result fits together."""

    commands: tuple[tuple[str, ...], ...]
    changes: tuple[Change, ...]
    removes: tuple[str, ...]
    fixes: frozenset[str]
    """Ids of the findings it is for."""
    proof: str
    moves: tuple[tuple[str, str], ...] = ()
    """What gets another name: (path, path afterwards)."""
