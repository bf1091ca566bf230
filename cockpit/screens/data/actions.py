"""What can be done on the Data screen."""

from __future__ import annotations

from cockpit.actions.action import Action
from cockpit.actions.common import COMMON, ends, jumps, open_film, search, walk
from cockpit.screens.data.state import DataView

DataAction = Action[DataView]


def _needs_samples(view: DataView) -> str:
    return "" if view.state.samples else "there is no curriculum to show yet"


def _needs_sample(view: DataView) -> str:
    if not view.state.samples:
        return _needs_samples(view)
    if not view.browsing and not view.roomy:
        return f"{BROWSE.key_name} opens the samples first"
    return "" if view.shown else "no sample fits: esc shows all"


def _browse_label(view: DataView) -> str:
    return "overview" if view.browsing else "browse"


def _missing_reason(view: DataView) -> str:
    films = view.state.films
    return "" if films.missing or films.damaged else "no film is known to be missing or damaged"


def _check_reason(view: DataView) -> str:
    films = view.state.films
    if films.decoding and films.decoded < films.total:
        return "the films are being decoded already"
    return _needs_samples(view)


BROWSE: DataAction = Action(
    "data.browse",
    "b",
    "browse",
    "The samples as the model reads them, and back.",
    0,
    reason=_needs_samples,
    label_now=_browse_label,
)
ENDS = ends("sample", _needs_sample, lambda view: (view.selected, len(view.listed)))
DOWN, UP = walk("data", "sample", 1, ENDS)
READ: DataAction = Action("data.read", "enter", "read", "Prompt and answer in full.", 2, reason=_needs_sample)
PART: DataAction = Action(
    "data.part", "t", "part", "Samples of one stage and split, or all.", 3, reason=_needs_samples
)
SEARCH: DataAction = search("data", "Only samples with these words.", 5, _needs_samples)
PATH: DataAction = open_film("data", 6, _needs_sample)
MISSING: DataAction = Action(
    "data.missing", "m", "missing", "The films that are missing or damaged.", 2, reason=_missing_reason
)
CHECK: DataAction = Action(
    "data.check", "c", "check films", "Decode every film; tells the damaged ones.", 8, reason=_check_reason
)

JUMPS = jumps("data", ENDS, paging="pagedown,space")

DATA_ACTIONS: tuple[DataAction, ...] = (
    BROWSE,
    DOWN,
    UP,
    READ,
    PART,
    SEARCH,
    PATH,
    MISSING,
    CHECK,
    *JUMPS.values(),
    *COMMON,
)
