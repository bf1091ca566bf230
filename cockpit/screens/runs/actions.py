"""What can be done on the Runs screen."""

from __future__ import annotations

from cockpit.actions.action import Action
from cockpit.actions.common import COMMON, FINISHED, ends, jumps, under_way, walk
from cockpit.screens.runs.state import MOST_MARKED, RunsView

RunsAction = Action[RunsView]


def _needs_run(view: RunsView) -> str:
    return "" if view.row else "there is no run"


def _mark_reason(view: RunsView) -> str:
    full = len(view.marked) >= MOST_MARKED and view.row is not None and view.row.name not in view.marked
    return f"{MOST_MARKED} curves are as many as can be told apart" if full else _needs_run(view)


def _mark_label(view: RunsView) -> str:
    return "unmark" if view.row and view.row.name in view.marked else "mark"


def _compare_reason(view: RunsView) -> str:
    if view.compared:
        return ""
    return f"mark one run with {MARK.key_name} and go to another, or mark two"


def _resume_reason(view: RunsView) -> str:
    if view.row is None:
        return _needs_run(view)
    if view.row.state == "finished":
        return FINISHED
    if view.row.live:
        return f"{under_way(view.row.state)}; {OPEN.key_name} opens it"
    return ""


def _change_reason(view: RunsView) -> str:
    if view.row is None:
        return _needs_run(view)
    return f"an engine is running in it ({view.row.state}): park or stop it first" if view.row.live else ""


OPEN: RunsAction = Action(
    "runs.open", "enter", "open", "Show this run on every screen.", 0, reason=_needs_run
)
MARK: RunsAction = Action(
    "runs.mark",
    "space",
    "mark",
    "Lay the curves of marked runs over each other.",
    1,
    reason=_mark_reason,
    label_now=_mark_label,
)
COMPARE: RunsAction = Action(
    "runs.compare", "d", "difference", "What two configurations set differently.", 2, reason=_compare_reason
)
RESUME: RunsAction = Action(
    "runs.resume", "s", "resume", "A new engine goes on with this run.", 3, steers=True, reason=_resume_reason
)
SCALE: RunsAction = Action(
    "runs.scale", "l", "log", "Curves: logarithmic, and linear again.", 8, reason=_needs_run
)
METRIC: RunsAction = Action(
    "runs.metric", "m", "series", "Curves: loss, learning rate, gradient norm ...", 8, reason=_needs_run
)
RENAME: RunsAction = Action(
    "runs.rename", "r", "rename", "Give this run another name.", 5, words=True, reason=_change_reason
)
DELETE: RunsAction = Action(
    "runs.delete",
    "D,delete",
    "delete",
    "Delete the run; asks for its name after an hour.",
    6,
    dangerous=True,
    steers=True,
    question=("The run is deleted with its checkpoints.",),
    reason=_change_reason,
)
ENDS = ends("run", _needs_run, lambda view: (view.selected, len(view.state.rows)))
DOWN, UP = walk("runs", "run", 7, ENDS)
JUMPS = jumps("runs", ENDS)

RUNS_ACTIONS: tuple[RunsAction, ...] = (
    OPEN,
    MARK,
    COMPARE,
    RESUME,
    RENAME,
    DELETE,
    METRIC,
    SCALE,
    DOWN,
    UP,
    *JUMPS.values(),
    *COMMON,
)
