"""What can be done on the Flight screen and on the start screen."""

from __future__ import annotations

from collections.abc import Callable

from cockpit.actions.action import Action
from cockpit.actions.common import COMMON, FINISHED, RESUME_KEY, SAMPLE_KEY, under_way
from cockpit.screens.flight.state import FlightState

Condition = Callable[[FlightState | None], str]
"""Why an action cannot work in this state; empty if it can. None before the first look at the run."""
FlightAction = Action[FlightState | None]


def _needs_steps(what: str) -> Condition:
    """A command that an engine carries out between steps."""
    needs_engine = _needs_engine(what)

    def reason(state: FlightState | None) -> str:
        if state and state.state in ("preparing", "starting", "loading"):
            return f"cannot {what} yet: still {state.state}"
        return needs_engine(state)

    return reason


def _needs_engine(what: str) -> Condition:
    """A command that an engine carries out at any time, while it loads as well."""

    def reason(state: FlightState | None) -> str:
        if state is None:
            return f"there is no run to {what}"
        if state.state == "finished":
            return f"nothing to {what}: the run is finished"
        if not state.live:
            return f"nothing to {what}: the run is {state.state}, {RESUME.key_name} resumes"
        if state.state == "stopping":
            return f"cannot {what}: the engine is ending"
        return ""

    return reason


def _resume_reason(state: FlightState | None) -> str:
    if state is None:
        return "there is no run to go on with"
    if state.state == "finished":
        return FINISHED
    if state.state == "stopping":
        return "the engine is ending; wait until it has ended"
    if state.live and state.state != "holding":
        return under_way(state.state)
    return ""


def _hold_label(state: FlightState | None) -> str:
    return "continue" if state and state.state == "holding" else "hold"


def _resume_label(state: FlightState | None) -> str:
    if state is None:
        return "resume"
    if state.state == "holding":
        return "continue"
    return "next stage" if state.state == "stopped" and state.stage_ahead else "resume"


def question_of(action: FlightAction, state: FlightState) -> tuple[str, ...]:
    """What becomes of the stage or the engine, and what a resume will do."""
    if action is PARK:
        return (*PARK.question, f"{RESUME.key_name} goes on from there, here or on another day.")
    after = "goes on with the next stage" if state.stage_ahead else "trains the rest of this stage"
    return (*STOP.question, f"Resumed afterwards, it {after}.")


def _curve_reason(state: FlightState | None) -> str:
    return "" if state and state.curves else "there is no curve yet"


def _chart_reason(state: FlightState | None) -> str:
    if state and state.zoom_open:
        return ""
    return _curve_reason(state) or f"{ZOOM.key_name} opens the chart first"


def _needs_rest(what: str) -> Condition:
    """What a command of the command line does with a run in which no engine lives."""

    def reason(state: FlightState | None) -> str:
        if state is None:
            return f"there is no run to {what}"
        if state.live:
            return f"not while it lives; `cxr-cockpit {what}` does it now"
        return "" if state.checkpoint else f"there is no checkpoint to {what}"

    return reason


def _case_reason(state: FlightState | None) -> str:
    return "" if state and len(state.cases) > 1 else "there are no other cases yet"


HOLD: FlightAction = Action(
    "hold",
    "space",
    "hold",
    "Wait at the next step, model in memory; then go on.",
    0,
    verb="hold",
    steers=True,
    reason=_needs_steps("hold"),
    label_now=_hold_label,
)
RESUME: FlightAction = Action(
    "resume",
    RESUME_KEY,
    "resume",
    "Go on with a parked, stopped or crashed run.",
    1,
    steers=True,
    reason=_resume_reason,
    label_now=_resume_label,
)
PARK: FlightAction = Action(
    "park",
    "p",
    "park",
    "Checkpoint, end the engine, free the memory. Asks.",
    2,
    verb="park",
    dangerous=True,
    steers=True,
    question=("A checkpoint is written, then the engine ends", "and the memory is free."),
    reason=_needs_engine("park"),
)
STOP: FlightAction = Action(
    "stop",
    "x",
    "stop",
    "Checkpoint, then end this stage here. Asks once.",
    3,
    verb="stop",
    dangerous=True,
    steers=True,
    question=("A checkpoint is written, then the stage ends here.",),
    reason=_needs_engine("stop"),
)
SAVE: FlightAction = Action(
    "save",
    "c",
    "checkpoint",
    "Write a checkpoint at the next step.",
    5,
    verb="save",
    steers=True,
    reason=_needs_steps("save"),
)
SAMPLE: FlightAction = Action(
    "sample",
    SAMPLE_KEY,
    "sample",
    "Generate the reports of the fixed cases now.",
    6,
    verb="sample",
    steers=True,
    reason=_needs_steps("sample"),
)
EVALUATE: FlightAction = Action(
    "evaluate",
    "e",
    "evaluate",
    "Score the newest checkpoint beside its baselines.",
    2,
    steers=True,
    reason=_needs_rest("evaluate"),
)
REPORT: FlightAction = Action(
    "report",
    "r",
    "report",
    "Its report for an image of your own.",
    2,
    words=True,
    reason=_needs_rest("report"),
)
EXPORT: FlightAction = Action(
    "export",
    "w",
    "export",
    "Write its adapter for others to load.",
    2,
    words=True,
    reason=_needs_rest("export"),
)
ZOOM: FlightAction = Action(
    "zoom",
    "z",
    "zoom",
    "The loss chart over the whole screen, and back.",
    7,
    reason=_curve_reason,
)
ROUGHER: FlightAction = Action(
    "rougher", "minus", "rougher", "Smooth the curve less.", 9, companion=True, reason=_curve_reason
)
SMOOTHER: FlightAction = Action(
    "smoother",
    "plus",
    "smooth",
    "Smooth the curve more or less.",
    9,
    reason=_curve_reason,
    other=ROUGHER,
)
NEXT_CASE: FlightAction = Action(
    "next_case",
    "n",
    "next case",
    "Walk through the fixed cases of the newest round.",
    11,
    reason=_case_reason,
)


def _on_chart(
    name: str, key: str, label: str, help: str, rank: int, other: FlightAction | None = None
) -> FlightAction:
    return Action(
        f"chart.{name}", key, label, help, rank, reason=_chart_reason, other=other, companion=other is None
    )


RIGHT = _on_chart("right", "right", "right", "Crosshair: a column to the right.", 0)
LEFT = _on_chart("left", "left", "crosshair", "Chart: the crosshair, with the values under it.", 0, RIGHT)
WIDER = _on_chart("wider", "down", "wider", "Chart: twice as many steps.", 1)
CLOSER = _on_chart("closer", "up", "closer", "Chart: half as many steps, and twice as many.", 1, WIDER)
LATER = _on_chart("later", "right_square_bracket,pagedown", "later", "Chart: half a screen on.", 2)
EARLIER = _on_chart(
    "earlier", "left_square_bracket,pageup", "pan", "Chart: half a screen back and on.", 2, LATER
)
LAST = _on_chart("last", "end", "newest", "Chart: the newest step, and follow it.", 5)
FIRST = _on_chart("first", "home", "ends", "Chart: the first step; the newest, followed.", 5, LAST)
WHOLE: FlightAction = Action("chart.whole", "0", "all", "Chart: all steps.", 5, reason=_chart_reason)
SCALE: FlightAction = Action(
    "chart.scale", "l", "log", "Chart: logarithmic, and linear again.", 10, reason=_curve_reason
)
METRIC: FlightAction = Action(
    "chart.metric", "m", "series", "Chart: loss, learning rate, gradient norm ...", 10, reason=_curve_reason
)
CHOICES: tuple[FlightAction, ...] = (METRIC, SCALE)
"""What either chart shows, and how."""
CHART_ACTIONS: tuple[FlightAction, ...] = (
    LEFT,
    RIGHT,
    CLOSER,
    WIDER,
    EARLIER,
    LATER,
    FIRST,
    LAST,
    WHOLE,
)
"""What moves the full-screen chart."""

FLIGHT_ACTIONS: tuple[FlightAction, ...] = (
    HOLD,
    RESUME,
    PARK,
    STOP,
    SAVE,
    SAMPLE,
    EVALUATE,
    REPORT,
    EXPORT,
    ZOOM,
    SMOOTHER,
    ROUGHER,
    NEXT_CASE,
    *CHOICES,
    *CHART_ACTIONS,
    *COMMON,
)
