"""What can be done on the Setup screen."""

from __future__ import annotations

from cockpit.actions.action import Action
from cockpit.actions.common import COMMON, ends, jumps, search, walk
from cockpit.screens.setup.view import SetupView

SetupAction = Action[SetupView]


def _busy(view: SetupView) -> str:
    return f"{view.state.doing}: wait until it is done" if view.state.doing else ""


def _mend_reason(view: SetupView) -> str:
    if view.plan is not None:
        return _busy(view)
    if view.state.doing == "checking" and view.state.fails:
        return "the fix is still being worked out"
    return "no command fixes this: its why says what does" if view.state.fails else "nothing fails"


def _undo_reason(view: SetupView) -> str:
    return _busy(view) if view.state.undoable else "there is no fix to take back"


def _copy_reason(view: SetupView) -> str:
    return "" if view.shown and view.shown.fix else "this finding has no command"


def _needs_finding(view: SetupView) -> str:
    if not view.state.findings:
        return "nothing was found yet"
    return "" if view.shown else "no finding fits: esc shows all"


def _needs_output(view: SetupView) -> str:
    return "" if view.state.output else "nothing was fixed since the app began"


def _download_reason(view: SetupView) -> str:
    if view.base.live:
        return ""
    if view.base.directory is None:
        return (
            "the base model of this configuration ships with the program"
            if view.state.python
            else "not checked yet"
        )
    finished = view.base.download is not None and view.base.download.state == "finished"
    missed = any(one.id == "base-model" for one in view.state.fails)
    return "the base model is there" if view.base_is_there or (finished and not missed) else ""


def _download_label(view: SetupView) -> str:
    return "end download" if view.base.live else "download"


def _output_label(view: SetupView) -> str:
    return "findings" if view.output_open else "output"


MEND: SetupAction = Action(
    "setup.fix",
    "f",
    "fix",
    "Show what fixes it, ask, do it, check again.",
    0,
    steers=True,
    reason=_mend_reason,
)
UNDO: SetupAction = Action(
    "setup.undo",
    "u",
    "undo",
    "Take the last fix back, byte for byte. Asks.",
    1,
    dangerous=True,
    steers=True,
    reason=_undo_reason,
)
AGAIN: SetupAction = Action("setup.again", "r", "check again", "Look at everything anew.", 2, reason=_busy)
TRY: SetupAction = Action(
    "setup.device",
    "d",
    "try device",
    "Its numbers against the CPU's, its speed: a minute.",
    4,
    steers=True,
    reason=_busy,
)
COPY: SetupAction = Action(
    "setup.copy", "y", "copy", "Copy the command to the clipboard.", 3, reason=_copy_reason
)
REPORT: SetupAction = Action(
    "setup.report",
    "e",
    "report",
    "Write all findings to a file for a colleague.",
    5,
    words=True,
    reason=_needs_finding,
)
DOWNLOAD: SetupAction = Action(
    "setup.download",
    "b",
    "download",
    "Fetch the base model, or end that. Asks.",
    4,
    steers=True,
    reason=_download_reason,
    label_now=_download_label,
)
READ: SetupAction = Action("setup.read", "enter", "read", "The finding in full.", 6, reason=_needs_finding)
SEARCH: SetupAction = search("setup", "Only findings with these words.", 8)
OUTPUT: SetupAction = Action(
    "setup.output",
    "o",
    "output",
    "What the last fix said, and back.",
    7,
    reason=_needs_output,
    label_now=_output_label,
)
ENDS = ends("finding", _needs_finding, lambda view: (view.selected, len(view.listed)))
DOWN, UP = walk("setup", "finding", 9, ENDS)
JUMPS = jumps("setup", ENDS, paging="pagedown,space")

SETUP_ACTIONS: tuple[SetupAction, ...] = (
    MEND,
    UNDO,
    AGAIN,
    TRY,
    COPY,
    REPORT,
    DOWNLOAD,
    READ,
    SEARCH,
    OUTPUT,
    DOWN,
    UP,
    *JUMPS.values(),
    *COMMON,
)
