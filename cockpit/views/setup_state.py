"""What is known of the setup, as one immutable value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cockpit.screens.setup.download import BaseModel
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


@dataclass(frozen=True, slots=True)
class SetupView:
    """The state, where the eye is, and the base model's download.

    `chosen` is the id of a finding, empty for the worst.
    """

    state: SetupState
    chosen: str = ""
    words: str = ""
    output_open: bool = False
    base: BaseModel = field(default_factory=BaseModel)

    @property
    def base_is_there(self) -> bool:
        """Whether the check found the base model whole."""
        return any(one.id == "base-model" and one.status == "ok" for one in self.state.findings)

    @property
    def listed(self) -> tuple[Finding, ...]:
        words = self.words.lower()
        return tuple(
            one
            for one in self.state.findings
            if words in f"{one.id} {one.group} {one.status} {one.title} {one.found}".lower()
        )

    @property
    def selected(self) -> int:
        ids = [one.id for one in self.listed]
        return ids.index(self.chosen) if self.chosen in ids else 0

    @property
    def shown(self) -> Finding | None:
        listed = self.listed
        return listed[self.selected] if listed else None

    @property
    def plan(self) -> Plan | None:
        """What `mend` would do: mend the selected finding, or else all that fails."""
        shown = self.shown
        return (self.state.plans.get(shown.id) if shown else None) or self.state.plan
