"""What can be done on the Log screen."""

from __future__ import annotations

from cockpit.actions.action import Action
from cockpit.actions.common import COMMON, search, walk
from cockpit.screens.log.state import LogState

LogAction = Action[LogState | None]


def _needs_lines(state: LogState | None) -> str:
    return "" if state and state.total else "there is no line"


def _needs_errors(state: LogState | None) -> str:
    return "" if state and state.errors else "there is no error in the log"


def _follow_reason(state: LogState | None) -> str:
    if state and state.following:
        return "already following the end"
    return _needs_lines(state)


PREVIOUS_ERROR: LogAction = Action(
    "log.previous_error", "N", "previous", "The error before.", 0, reason=_needs_errors, companion=True
)
NEXT_ERROR: LogAction = Action(
    "log.next_error",
    "n",
    "error",
    "Next and previous line that says what went wrong.",
    0,
    reason=_needs_errors,
    other=PREVIOUS_ERROR,
)
SEARCH: LogAction = search("log", "Only lines with these words.", 1)
LEVEL: LogAction = Action("log.level", "l", "level", "All lines, warnings and errors, errors.", 2)
FOLLOW: LogAction = Action(
    "log.follow", "f,end", "follow", "To the end, and stay there.", 3, reason=_follow_reason
)
READ: LogAction = Action("log.read", "enter", "read", "The selected line in full.", 5, reason=_needs_lines)
DOWN, UP = walk("log", "line", 6, (_needs_lines, _needs_lines))
PAGE_UP: LogAction = Action(
    "log.page_up", "b,pageup", "page up", "A page up.", 7, reason=_needs_lines, companion=True
)
PAGE_DOWN: LogAction = Action(
    "log.page_down",
    "space,pagedown",
    "page",
    "A page down and up; home goes to the start.",
    7,
    reason=_needs_lines,
    other=PAGE_UP,
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
    *COMMON,
)
