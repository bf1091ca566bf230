"""What the setup check says: findings, and the repairs that belong to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["ok", "info", "warn", "fail"]
Group = Literal["interpreter", "packages", "imports", "machine", "terminal", "project", "device"]

GROUPS: tuple[Group, ...] = (
    "interpreter",
    "packages",
    "imports",
    "machine",
    "terminal",
    "project",
    "device",
)
SEEN = "seen here"
"""The source of what rests on this look at this machine, and on nothing that was written elsewhere."""
WORST_FIRST: tuple[Status, ...] = ("fail", "warn", "info", "ok")


@dataclass(frozen=True, slots=True)
class Repair:
    """One way to fix a finding in the interpreter that was looked at.

    `install` are requirements such as "transformers>=4.47,<5"; `uninstall` and `reinstall` are names (a reinstall
    keeps the version, "name==version"); `remove` are files and folders; `aside` are such that get another name.
    `whole` says that `install` is a set that was tested together: where nothing is there yet, it needs no proof.
    """

    install: tuple[str, ...] = ()
    uninstall: tuple[str, ...] = ()
    reinstall: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Texts are plain; what they quote may hold anything and is shown escaped."""

    id: str
    group: Group
    status: Status
    title: str
    found: str = ""
    expected: str = ""
    why: str = ""
    consequences: tuple[str, ...] = ()
    fix: tuple[tuple[str, ...], ...] = ()
    """Commands as argument lists, each runnable as it stands."""
    source: str = ""
    """What the statement rests on: "verified", "wheel" or "cited" with the place, or how it was seen here."""
    repairs: tuple[Repair, ...] = field(default=(), compare=False)
    """Ways to fix it, the preferred one first; `fix` is made from the one that was chosen."""

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "group": self.group,
            "status": self.status,
            "title": self.title,
            "found": self.found,
            "expected": self.expected,
            "why": self.why,
            "consequences": list(self.consequences),
            "fix": [list(command) for command in self.fix],
            "source": self.source,
        }


def worst_first(findings: list[Finding]) -> list[Finding]:
    """By status, then in the order of the groups: what stands below rests on what stands above."""
    return sorted(findings, key=lambda one: (WORST_FIRST.index(one.status), GROUPS.index(one.group)))
