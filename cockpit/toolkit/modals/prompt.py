"""Asks for one line of text."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from cockpit.toolkit.lines import Frame, in_role
from cockpit.toolkit.modals.modal import LeftOnce
from cockpit.toolkit.panels import LinesView
from engine.errors import UserError

Refuse = Callable[[str], str]
"""Why a text is not taken; empty if it is."""


class Prompt(LeftOnce, ModalScreen[str | None]):
    """Dismissed with the text, or with None by escape. A text that is refused stays to be mended."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "give_up"), ("enter", "give")]

    def __init__(
        self,
        question: str,
        preset: str = "",
        does: str = "starts",
        told: tuple[str, ...] = (),
        refuse: Refuse | None = None,
    ) -> None:
        """`told` stands between the question and the text; none of it holds what a terminal would obey."""
        super().__init__()
        self._question = question
        self._text = preset
        self._does = does
        self._told = told
        self._refuse = refuse

    def heading(self) -> Frame:
        """What stands above the text."""
        keys = f"   enter {self._does}, esc goes back"
        return [[(self._question, "strong"), (keys, "dim")], *in_role(self._told, "text"), []]

    def compose(self) -> ComposeResult:
        with Vertical(classes="box wide"):
            yield LinesView(self.heading())
            field = Input(self._text, select_on_focus=False, compact=True)
            field.cursor_blink = False
            yield field

    def typed(self, text: str) -> bool:
        """Letters that came before the field was there to take them."""
        self._text += text
        for field in self.query(Input):
            field.insert_text_at_cursor(text)
        return True

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._text = event.value

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self._text = event.value
        self.action_give()

    def action_give(self) -> None:
        """Enter, also where it came before the field was there."""
        text = self._text.strip()
        try:
            reason = self._refuse(text) if self._refuse and text else ""
        except UserError as error:
            reason = str(error)
        if reason:
            self.app.notify(reason, severity="warning", markup=False)
        else:
            self.dismiss(text)

    def action_give_up(self) -> None:
        self.dismiss(None)


class Nowhere(Prompt):
    """Takes words that nothing here takes, so that their letters are no keys; up to enter or escape."""

    def __init__(self, why: str) -> None:
        super().__init__(why)

    def heading(self) -> Frame:
        return [
            [(self._question, "strong")],
            [("What is typed goes nowhere, up to enter or esc.", "dim")],
            [],
        ]
