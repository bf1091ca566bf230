"""What can be done on the Samples screen."""

from __future__ import annotations

from collections.abc import Callable

from cockpit.actions.action import Action
from cockpit.actions.common import BACK, COMMON, HELP, ends, jumps, open_film, sample_key, search
from cockpit.screens.samples.choice import SamplesView

SamplesAction = Action[SamplesView]


def _needs_case(view: SamplesView) -> str:
    if not view.book.cases:
        return f"there are no samples yet: {sample_key()} on Flight asks for some"
    return "" if view.shown else "no case fits the filters: esc shows all"


def _needs_walk(by: int) -> Callable[[SamplesView], str]:
    def reason(view: SamplesView) -> str:
        if view.shown is None:
            return _needs_case(view)
        route = [written.weights for written in view.shown.case.written]
        at = route.index(view.shown.written.weights)
        if len(route) == 1:
            return "only these weights have written about this case"
        if not 0 <= at + by < len(route):
            return "this is the newest checkpoint" if by > 0 else "this is the first checkpoint"
        return ""

    return reason


def _needs_blank(view: SamplesView) -> str:
    if view.shown is None:
        return _needs_case(view)
    return "" if view.blank_text is not None else "not evaluated yet with the image blanked"


def _needs_film(view: SamplesView) -> str:
    if view.shown is None:
        return _needs_case(view)
    if view.film is None:
        return "images are switched off (--images none)"
    return "" if not isinstance(view.film, str) else "there is no film to show"


def _needs_open_film(view: SamplesView) -> str:
    return "" if view.film_open else _needs_film(view) or f"{FILM.key_name} opens the film first"


def _needs_labels(view: SamplesView) -> str:
    if not view.book.cases:
        return _needs_case(view)
    return "" if any(one.labels for one in view.book.cases) else "no case has labels"


def _needs_stages(view: SamplesView) -> str:
    return "" if len({case.stage for case in view.book.cases}) > 1 else "there is only one stage so far"


def _labels_label(view: SamplesView) -> str:
    return "all labels" if view.choice.label else "label"


def _blank_label(view: SamplesView) -> str:
    return "reference" if view.blanked else "blanked"


LATER: SamplesAction = Action(
    "samples.later",
    "right_square_bracket",
    "later",
    "The same case at the next checkpoint.",
    0,
    reason=_needs_walk(1),
    companion=True,
)
EARLIER: SamplesAction = Action(
    "samples.earlier",
    "left_square_bracket",
    "checkpoint",
    "The same case at the checkpoint before, and after.",
    0,
    reason=_needs_walk(-1),
    other=LATER,
)
ENDS = ends("case", _needs_case, lambda view: (view.selected, len(view.listed)))
PREVIOUS: SamplesAction = Action(
    "samples.previous", "k", "previous", "The case before.", 1, reason=ENDS[1], companion=True
)
NEXT: SamplesAction = Action(
    "samples.next", "j", "case", "Next and previous case; arrows, too.", 1, reason=ENDS[0], other=PREVIOUS
)
READ: SamplesAction = Action(
    "samples.read", "enter", "read", "Both texts, prompt and record in full.", 3, reason=_needs_case
)
FILM: SamplesAction = Action(
    "samples.film", "z", "film", "The film over the whole screen, and back.", 2, reason=_needs_film
)
LABEL: SamplesAction = Action(
    "samples.label",
    "f",
    "label",
    "Only cases with a label, wanted or written.",
    5,
    reason=_needs_labels,
    label_now=_labels_label,
)
SEARCH: SamplesAction = search("samples", "Only cases whose texts hold these words.", 6)
STAGE: SamplesAction = Action(
    "samples.stage", "t", "stage", "Cases of both stages, of A, of B.", 10, reason=_needs_stages
)
ORDER: SamplesAction = Action(
    "samples.order", "w", "order", "Worst first, best first, by name.", 11, reason=_needs_case
)
BLANKED: SamplesAction = Action(
    "samples.blanked",
    "b",
    "blanked",
    "Against what it says with the image blanked.",
    7,
    reason=_needs_blank,
    label_now=_blank_label,
)
PATH: SamplesAction = open_film("samples", 12, _needs_case)
COPY: SamplesAction = Action(
    "samples.copy", "y", "copy", "Copy what the model wrote to the clipboard.", 8, reason=_needs_case
)
AWAY: SamplesAction = Action(
    "samples.away", "minus", "away", "Film: away.", 13, reason=_needs_open_film, companion=True
)
CLOSER: SamplesAction = Action(
    "samples.closer",
    "plus",
    "closer",
    "Film: closer and away; arrows move it.",
    13,
    reason=_needs_open_film,
    other=AWAY,
)
INVERT: SamplesAction = Action(
    "samples.invert", "i", "invert", "Film: black for white.", 14, reason=_needs_open_film
)
WIDER: SamplesAction = Action(
    "samples.wider",
    "greater_than_sign",
    "less contrast",
    "Film: less contrast.",
    15,
    reason=_needs_open_film,
    companion=True,
)
NARROWER: SamplesAction = Action(
    "samples.narrower",
    "less_than_sign",
    "contrast",
    "Film: more and less contrast (window).",
    15,
    reason=_needs_open_film,
    other=WIDER,
)
DARKER: SamplesAction = Action(
    "samples.darker", "full_stop", "darker", "Film: darker.", 16, reason=_needs_open_film, companion=True
)
BRIGHTER: SamplesAction = Action(
    "samples.brighter",
    "comma",
    "brightness",
    "Film: brighter and darker (level).",
    16,
    reason=_needs_open_film,
    other=DARKER,
)


def _arrow(key: str, same: SamplesAction) -> SamplesAction:
    """An arrow does the same as another key, but on the open film."""
    return Action(
        f"samples.{key}",
        key,
        key,
        "A case or a checkpoint on; on the film, move it.",
        20,
        reason=lambda view: "" if view.film_open else same.reason(view),
        companion=True,
    )


ARROWS = {
    key: _arrow(key, same)
    for key, same in (("up", PREVIOUS), ("down", NEXT), ("left", EARLIER), ("right", LATER))
}
JUMPS = jumps("samples", ENDS, letters=False)

SAMPLES_ACTIONS: tuple[SamplesAction, ...] = (
    EARLIER,
    LATER,
    NEXT,
    PREVIOUS,
    FILM,
    READ,
    BLANKED,
    LABEL,
    SEARCH,
    STAGE,
    ORDER,
    PATH,
    COPY,
    CLOSER,
    AWAY,
    INVERT,
    NARROWER,
    WIDER,
    BRIGHTER,
    DARKER,
    *ARROWS.values(),
    *JUMPS.values(),
    *COMMON,
)
FILM_KEYS: tuple[SamplesAction, ...] = (CLOSER, NARROWER, BRIGHTER, INVERT, EARLIER, NEXT, BACK, HELP)
"""What the footer names while the film is open."""
