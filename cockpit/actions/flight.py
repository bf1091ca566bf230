"""Every action of the cockpit, once. Bindings, footer, palette and help are read from this registry.

An action that cannot work now says why (`reason`): no key is ever silent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual.binding import Binding

from cockpit.screens.flight_state import FlightState

Condition = Callable[[FlightState | None], str]
"""Why an action cannot work in this state; empty if it can. None is the start screen, without a run."""


def _always(_state: FlightState | None) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a key can do.

    `verb` is the command that the engine gets, where the action is one. The highest `rank` gives way first in
    a narrow footer. A dangerous action asks its `question` before. `label_now` renames the key with the state.
    A companion shares the line of the action before it, in the footer and in the help.
    """

    id: str
    key: str
    label: str
    help: str
    rank: int
    shown_key: str = ""
    verb: str = ""
    dangerous: bool = False
    reason: Condition = _always
    label_now: Callable[[FlightState], str] | None = None
    question: tuple[str, ...] = ()
    companion: bool = False

    def label_for(self, state: FlightState | None) -> str:
        """What the key does in this state, in a word or two."""
        return self.label_now(state) if self.label_now and state else self.label

    @property
    def key_name(self) -> str:
        return self.shown_key or self.key

    def binding(self) -> Binding:
        """The key, bound to the screen's `action_take`; the id lets a keymap move it."""
        return Binding(self.key, f"take('{self.id}')", self.label, id=self.id, tooltip=self.help)


def _needs_steps(what: str) -> Condition:
    """A command that an engine carries out between steps."""

    def reason(state: FlightState | None) -> str:
        if state is None:
            return f"there is no run to {what}"
        if state.state == "finished":
            return f"nothing to {what}: the run is finished"
        if not state.live:
            return f"nothing to {what}: the run is {state.state}, s resumes"
        if state.state == "stopping":
            return f"cannot {what}: the engine is on its way out"
        if state.state in ("preparing", "starting", "loading"):
            return f"cannot {what} yet: still {state.state}"
        return ""

    return reason


def _resume_reason(state: FlightState | None) -> str:
    if state is None:
        return "there is no run to go on with"
    if state.state == "finished":
        return "finished: every stage of this run is done"
    if state.state == "stopping":
        return "the engine is on its way out; s works once it is gone"
    if state.live and state.state != "holding":
        return f"already under way: {state.state}"
    return ""


def _resume_label(state: FlightState) -> str:
    if state.state == "holding":
        return "continue"
    return "next stage" if state.state == "stopped" and state.stage_ahead else "resume"


def _curve_reason(state: FlightState | None) -> str:
    return "" if state and state.curves else "there is no curve yet"


def _case_reason(state: FlightState | None) -> str:
    return "" if state and len(state.cases) > 1 else "there are no other cases yet"


HOLD = Action(
    "hold",
    "space",
    "hold",
    "Wait at the next step, model in memory; and go on.",
    0,
    verb="hold",
    reason=_needs_steps("hold"),
    label_now=lambda state: "continue" if state.state == "holding" else "hold",
)
RESUME = Action(
    "resume",
    "s",
    "resume",
    "Go on with a parked, stopped or crashed run.",
    1,
    reason=_resume_reason,
    label_now=_resume_label,
)
PARK = Action(
    "park",
    "p",
    "park",
    "Checkpoint, then end the engine: frees the memory.",
    2,
    verb="park",
    reason=_needs_steps("park"),
)
STOP = Action(
    "stop",
    "x",
    "stop",
    "Checkpoint, then end this stage here. Asks once.",
    3,
    verb="stop",
    dangerous=True,
    question=(
        "A checkpoint is written, then the stage ends here.",
        "Afterwards s starts the next stage, if there is one.",
    ),
    reason=_needs_steps("stop"),
)
SAVE = Action(
    "save",
    "c",
    "checkpoint",
    "Write a checkpoint at the next step.",
    5,
    verb="save",
    reason=_needs_steps("save"),
)
SAMPLE = Action(
    "sample",
    "g",
    "sample",
    "Generate the reports of the fixed cases now.",
    6,
    verb="sample",
    reason=_needs_steps("sample"),
)
ZOOM = Action(
    "zoom",
    "z",
    "zoom",
    "The loss chart over the whole screen, and back.",
    7,
    reason=_curve_reason,
)
SMOOTHER = Action(
    "smoother",
    "plus",
    "smooth",
    "Smooth the loss curve more or less.",
    9,
    shown_key="+/-",
    reason=_curve_reason,
)
ROUGHER = Action(
    "rougher",
    "minus",
    "rougher",
    "Smooth the loss curve less.",
    10,
    shown_key="-",
    companion=True,
    reason=_curve_reason,
)
NEXT_CASE = Action(
    "next_case",
    "n",
    "next case",
    "Walk through the fixed cases of the newest round.",
    11,
    reason=_case_reason,
)
HELP = Action("help", "question_mark", "help", "Every key, and why some do not work now.", 8, shown_key="?")
LEAVE = Action("leave", "q", "leave", "Leave the cockpit; the engine keeps training.", 4)
DEMO = Action("demo", "d", "fly the demo", "Phantom data, both stages, the bundled tiny model.", 0)
OPEN = Action("open", "o", "open a config", "Start a run from a configuration file.", 1)

FLIGHT_ACTIONS = (HOLD, RESUME, PARK, STOP, SAVE, SAMPLE, ZOOM, SMOOTHER, ROUGHER, NEXT_CASE, HELP, LEAVE)
START_ACTIONS = (DEMO, OPEN, HELP, LEAVE)


def by_id(id: str) -> Action:
    """The action of that id."""
    return _BY_ID[id]


_BY_ID = {action.id: action for action in (*FLIGHT_ACTIONS, *START_ACTIONS)}


def keys_that_work(actions: tuple[Action, ...], state: FlightState | None) -> list[tuple[str, str, int]]:
    """(key, label, rank) of the actions that can be taken now, for the footer."""
    return [
        (action.key_name, action.label_for(state), action.rank)
        for action in actions
        if not action.companion and not action.reason(state) and not _twin(action, state)
    ]


def _twin(action: Action, state: FlightState | None) -> bool:
    """While the run holds, space and s do the same: one is enough in the footer."""
    return action is RESUME and state is not None and state.state == "holding"
