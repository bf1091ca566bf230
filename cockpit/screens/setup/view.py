"""What the Setup screen shows, as one immutable value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cockpit.screens.setup.download import BaseModel
from cockpit.views.setup_state import SetupState
from engine.setup_check.finding import Finding

if TYPE_CHECKING:
    from engine.setup_check.fix.plan import Plan


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
