"""Asks which one of a few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, clean
from cockpit.toolkit.modals.modal import LeftOnce
from cockpit.toolkit.panels import LinesView


class Choose(LeftOnce, ModalScreen[str | None]):
    """Dismissed with the chosen value, or with None by escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("j,down", "move(1)"),
        ("k,up", "move(-1)"),
        ("enter,space", "choose"),
        ("escape,q", "dismiss(None)"),
    ]

    def __init__(self, question: str, options: Sequence[tuple[str, str]], glyphs: Glyphs) -> None:
        """`options` are (value, what there is to know of it)."""
        super().__init__()
        self._question = question
        self._options = list(options)
        self._glyphs = glyphs
        self._at = 0

    def compose(self) -> ComposeResult:
        with Vertical(classes="box wide"):
            yield LinesView(self._lines())

    def action_move(self, by: int) -> None:
        wanted = self._at + by
        if 0 <= wanted < len(self._options):
            self._at = wanted
            self.query_one(LinesView).show(self._lines())
        else:
            self.app.notify(f"this is the {'last' if by > 0 else 'first'} one", severity="warning")

    def action_choose(self) -> None:
        self.dismiss(self._options[self._at][0])

    def _lines(self) -> Frame:
        width = max(len(value) for value, _ in self._options)
        frame: Frame = [[(self._question, "strong"), ("   enter chooses, esc goes back", "dim")], []]
        for index, (value, known) in enumerate(self._options):
            here = index == self._at
            frame.append(
                [
                    (f"{self._glyphs.pointer if here else '':<2}", "accent_strong"),
                    (f"{clean(value):<{width}}   ", "strong" if here else "text"),
                    (clean(known), "dim"),
                ]
            )
        return frame
