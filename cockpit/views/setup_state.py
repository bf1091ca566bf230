"""What is known of the setup, as one immutable value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from engine.setup_check.finding import Finding

if TYPE_CHECKING:
    from engine.setup_check.fix.plan import Plan

Doing = Literal["", "checking", "fixing", "undoing"]
EVERYWHERE = ("interpreter", "packages", "imports")
"""Groups that are about the Python, and so about every run."""


@dataclass(frozen=True, slots=True)
class SetupState:
    """What the check has found, and what is being done about it.

    `findings` are those so far, worst first; `before` are the failing ones of the check before, which count
    until this one has said more. `checked` is when the last check ended (seconds since the epoch). `plans` mend
    one finding each, `plan` all that fails. `undoable` are the packages that the last mend changed. `part` is
    what the trial of the device is at. `news` is what came of the last mend or undo; `worse` is what fails since.
    """

    python: str = ""
    version: str = ""
    config: str = ""
    findings: tuple[Finding, ...] = ()
    before: tuple[Finding, ...] = ()
    doing: Doing = ""
    checked: float | None = None
    plan: Plan | None = None
    plans: dict[str, Plan] = field(default_factory=dict)
    undoable: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    part: str = ""
    news: str = ""
    worse: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def fails(self) -> tuple[Finding, ...]:
        found = tuple(one for one in self.findings if one.status == "fail")
        return found or (self.before if self.doing == "checking" else ())

    def count(self, status: str) -> int:
        return sum(one.status == status for one in self.findings)

    def fails_for(self, same_run: bool) -> tuple[Finding, ...]:
        """What a start would meet; what was found about one run's configuration says nothing of another."""
        return tuple(one for one in self.fails if same_run or one.group in EVERYWHERE)
