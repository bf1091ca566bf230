"""Asks once before an action that is hard to take back."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from cockpit.actions.action import Action
from cockpit.textual_internals import add_key
from cockpit.toolkit.lines import Frame, Line, in_role
from cockpit.toolkit.modals.modal import LeftOnce
from cockpit.toolkit.panels import LinesView

READ_SECONDS = 1.0
"""A question that no key called for takes no yes before it has been there for so long."""


class Question(LeftOnce, ModalScreen[bool]):
    """Enter is yes, escape is no, and letters are no answer: they may be those of a word that was begun before.

    The first one that no key bears withdraws the question; it takes the rest of the word up to enter or escape.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        ("enter", "answer(True)"),
        ("escape", "answer(False)"),
        ("n,q", "refuse"),
    ]

    def __init__(self, does: str, unasked: bool = False) -> None:
        """`does` is what enter does, in a word or two. `unasked`: no key called for it."""
        super().__init__()
        self._does = does
        self._unasked = unasked
        self._since = time.monotonic()
        self.withdrawn = False

    def lines(self) -> Frame:
        """What is asked."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        with Vertical(classes="box wide" if self.wide else "box"):
            yield LinesView([*self.lines(), [], self._answers()])

    wide: ClassVar[bool] = False

    def action_answer(self, yes: bool) -> None:
        if yes and self._unasked and time.monotonic() - self._since < READ_SECONDS:
            self.app.notify(f"this question has only just come: enter {self._does}", severity="warning")
        else:
            self.dismiss(yes and not self.withdrawn)

    def action_refuse(self) -> None:
        """A no in a letter; within a word it is none."""
        if not self.withdrawn:
            self.dismiss(False)

    def action_say(self) -> None:
        """A letter that could be taken for a yes."""
        if not self.withdrawn:
            self.app.notify(f"enter {self._does}, esc goes back", severity="warning", markup=False)

    def typed(self, text: str) -> bool:
        self.withdrawn = True
        for view in self.query(LinesView):  # none, where it was withdrawn before it was there
            view.show([*self.lines(), [], self._answers()])
        return True

    def _answers(self) -> Line:
        if self.withdrawn:
            return [
                ("letters are no answer, nothing is done   ", "warn"),
                ("enter", "key"),
                (" or ", "dim"),
                ("esc", "key"),
                (" back", "dim"),
            ]
        return [("enter", "key"), (f" {self._does}   ", "dim"), ("esc", "key"), (" back", "dim")]


class Confirm(Question):
    """Asks about an action of a screen."""

    def __init__(self, action: Action[Any], question: tuple[str, ...] = (), unasked: bool = False) -> None:
        """`question` takes the place of the action's own where it depends on what is asked about."""
        super().__init__(does(action.label), unasked)
        self._action = action
        self._asked = question or action.question
        for key in (action.keys, "y"):
            add_key(self, key, "say")

    def lines(self) -> Frame:
        return [[(f"{self._action.label}?", "strong")], [], *in_role(self._asked, "text")]


def does(label: str) -> str:
    """`parks`, `undoes`, `flies the demo`: what a key labelled like this does."""
    verb, blank, rest = label.partition(" ")
    if verb.endswith("y"):
        verb = f"{verb[:-1]}ies"
    else:
        verb += "es" if verb.endswith("o") else "s"
    return f"{verb}{blank}{rest}"
