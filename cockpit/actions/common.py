"""Keys that every screen has, and those that several have alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from cockpit.actions.action import Action, always
from cockpit.actions.keys import key_word, keys_of

S = TypeVar("S")

HELP: Action[object] = Action("help", "question_mark", "help", "Every key, and why some do not work now.", 8)
LEAVE: Action[object] = Action("leave", "q", "leave", "Leave the cockpit; the engine keeps training.", 4)
BACK: Action[object] = Action("back", "escape", "back", "Back out of what is open, then to Flight.", 9)
ALERTS: Action[object] = Action("alerts", "a", "alerts", "What went wrong, and when; acknowledged there.", 3)
COMMON = (ALERTS, BACK, HELP, LEAVE)
"""What every screen about a run can do, last in its footer."""

SAMPLE_KEY, RESUME_KEY, LOG_KEY = "g", "s", "6"
"""Keys that other screens than their own name, unless the user has moved them."""


def sample_key() -> str:
    """The key by which Flight asks for samples."""
    return key_word(keys_of("sample", SAMPLE_KEY))


def resume_key() -> str:
    """The key by which Flight goes on with a run."""
    return key_word(keys_of("resume", RESUME_KEY))


def log_key() -> str:
    """The key that leads to the Log screen."""
    return key_word(keys_of("go.log", LOG_KEY))


FINISHED = "finished: every stage of this run is done"


def under_way(state: str) -> str:
    """Why a run cannot be resumed that an engine lives in."""
    return f"already under way: {state}"


Condition = Callable[[S], str]
"""Why something cannot be done; empty if it can."""
Place = Callable[[S], tuple[int, int]]
"""Where a list stands: the selected line, counted from 0, and how many lines there are."""


def ends(noun: str, needs: Condition[S], place: Place[S]) -> tuple[Condition[S], Condition[S]]:
    """Why a list of `noun`s cannot go further down, and why not further up."""

    def down(state: S) -> str:
        selected, total = place(state)
        return needs(state) or (f"this is the last {noun}" if selected >= total - 1 else "")

    def up(state: S) -> str:
        return needs(state) or (f"this is the first {noun}" if place(state)[0] <= 0 else "")

    return down, up


def walk(
    prefix: str, noun: str, rank: int, reasons: tuple[Condition[S], Condition[S]]
) -> tuple[Action[S], Action[S]]:
    """Down and up a list, one `noun` at a time; the reasons are those of its `ends`."""
    up: Action[S] = Action(
        f"{prefix}.up", "k,up", f"{noun} up", f"The {noun} before.", rank, reason=reasons[1], companion=True
    )
    help = f"Next and previous {noun}; arrows, too."
    return Action(f"{prefix}.down", "j,down", noun, help, rank, reason=reasons[0], other=up), up


def jumps(
    prefix: str,
    reasons: tuple[Condition[S], Condition[S]],
    letters: bool = True,
    paging: str = "pagedown",
) -> dict[str, Action[S]]:
    """Pages and ends of a list, which go without saying; the reasons are those of its `ends`."""
    keys = {
        "page_down": (paging, "A page down the list."),
        "page_up": ("pageup", "A page up the list."),
        "first": ("g,home" if letters else "home", "The first of the list."),
        "last": ("G,end" if letters else "end", "The last of the list."),
    }
    return {
        name: Action(
            f"{prefix}.{name}",
            key,
            name.replace("_", " "),
            help,
            20,
            reason=reasons[name in ("page_up", "first")],
            companion=True,
        )
        for name, (key, help) in keys.items()
    }


#: Lines of a list that a page is.
PAGE = 10


def moved(action: Action[Any], at: int, total: int) -> int | None:
    """Where in a list of `total` lines an action of `walk` or `jumps` leads from line `at`; None for any other."""
    way = {"down": 1, "up": -1, "page_down": PAGE, "page_up": -PAGE, "first": -total, "last": total}
    by = way.get(action.id.rpartition(".")[2])
    return None if by is None else max(0, min(at + by, total - 1))


def search(prefix: str, help: str, rank: int, reason: Callable[[S], str] = always) -> Action[S]:
    """Words that what is shown must hold."""
    return Action(f"{prefix}.search", "slash", "find", help, rank, words=True, reason=reason)


def open_film(prefix: str, rank: int, reason: Callable[[S], str]) -> Action[S]:
    """The film outside of the terminal."""
    return Action(
        f"{prefix}.path", "o", "open", "Open the film's file, or say where it lies.", rank, reason=reason
    )
