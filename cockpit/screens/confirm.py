"""Asks once before an action that is hard to take back."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from cockpit.actions import Action
from cockpit.screens.leaving import LeftOnce
from cockpit.widgets.lines import Frame
from cockpit.widgets.lines_view import LinesView


class Confirm(LeftOnce, ModalScreen[bool]):
    """The action's own key again, or enter, is yes; escape is no."""

    BINDINGS: ClassVar[list[BindingType]] = [("enter,y", "answer(True)"), ("escape,n,q", "answer(False)")]

    def __init__(self, action: Action[Any], question: tuple[str, ...] = ()) -> None:
        """`question` takes the place of the action's own where it depends on what is asked about."""
        super().__init__()
        self._action = action
        self._question = question or action.question
        self._bindings.bind(action.keys, "answer(True)")

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield LinesView(confirm_lines(self._action, self._question))

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)


def confirm_lines(action: Action[Any], asked: tuple[str, ...]) -> Frame:
    """The question and its answers."""
    question: Frame = [[(line, "text")] for line in asked]
    return [
        [(f"{action.label}?", "strong")],
        [],
        *question,
        [],
        [
            (f"{action.key_name}", "key"),
            (f" or enter {action.label}{'es' if action.label.endswith('o') else 's'}   ", "dim"),
            ("esc", "key"),
            (" back", "dim"),
        ],
    ]
