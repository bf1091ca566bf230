"""Asks for one line of text."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from cockpit.screens.leaving import LeftOnce
from cockpit.widgets.lines_view import LinesView


class Prompt(LeftOnce, ModalScreen[str | None]):
    """Dismissed with the text, or with None by escape."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "give_up")]

    def __init__(self, question: str, preset: str = "", does: str = "starts") -> None:
        super().__init__()
        self._question = question
        self._preset = preset
        self._does = does

    def compose(self) -> ComposeResult:
        with Vertical(classes="box wide"):
            yield LinesView(
                [[(self._question, "strong"), (f"   enter {self._does}, esc goes back", "dim")], []]
            )
            field = Input(self._preset, select_on_focus=False, compact=True)
            field.cursor_blink = False
            yield field

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())

    def action_give_up(self) -> None:
        self.dismiss(None)
