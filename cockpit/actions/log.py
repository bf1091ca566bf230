"""What can be done on the Log screen."""

from __future__ import annotations

from cockpit.actions.common import BACK, HELP, LEAVE
from cockpit.actions.record import Action
from cockpit.screens.log_state import LogState

LogAction = Action[LogState | None]


def _needs_lines(state: LogState | None) -> str:
    return "" if state and state.total else "there is no line"


def _needs_errors(state: LogState | None) -> str:
    return "" if state and state.errors else "there is no error in the log"


def _follow_reason(state: LogState | None) -> str:
    if state and state.following:
        return "the end is followed already"
    return _needs_lines(state)


NEXT_ERROR: LogAction = Action(
    "log.next_error",
    "n",
    "error",
    "Next and previous line that says what went wrong.",
    0,
    shown_key="n N",
    reason=_needs_errors,
)
PREVIOUS_ERROR: LogAction = Action(
    "log.previous_error", "N", "previous", "The error before.", 0, reason=_needs_errors, companion=True
)
SEARCH: LogAction = Action("log.search", "slash", "find", "Only lines with these words.", 1, shown_key="/")
LEVEL: LogAction = Action("log.level", "l", "level", "All lines, warnings and errors, errors.", 2)
FOLLOW: LogAction = Action(
    "log.follow", "f,end", "follow", "To the end, and stay there.", 3, shown_key="f", reason=_follow_reason
)
READ: LogAction = Action("log.read", "enter", "read", "The selected line in full.", 5, reason=_needs_lines)
DOWN: LogAction = Action(
    "log.down",
    "j,down",
    "line",
    "One line down and up; arrows, too.",
    6,
    shown_key="j k",
    reason=_needs_lines,
)
UP: LogAction = Action("log.up", "k,up", "up", "One line up.", 6, reason=_needs_lines, companion=True)
PAGE_DOWN: LogAction = Action(
    "log.page_down",
    "space,pagedown",
    "page",
    "A page down; b goes up, home to the start.",
    7,
    shown_key="space",
    reason=_needs_lines,
)
PAGE_UP: LogAction = Action(
    "log.page_up", "b,pageup", "page up", "A page up.", 7, reason=_needs_lines, companion=True
)
FIRST: LogAction = Action(
    "log.first", "g,home", "start", "To the start.", 8, reason=_needs_lines, companion=True
)

LOG_ACTIONS: tuple[LogAction, ...] = (
    NEXT_ERROR,
    PREVIOUS_ERROR,
    SEARCH,
    LEVEL,
    FOLLOW,
    READ,
    DOWN,
    UP,
    PAGE_DOWN,
    PAGE_UP,
    FIRST,
    BACK,
    HELP,
    LEAVE,
)
