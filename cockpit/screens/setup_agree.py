"""Shows what a mend would do, and asks."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from cockpit.screens.leaving import LeftOnce
from cockpit.screens.setup_state import SetupView
from cockpit.widgets.glyphs import Glyphs
from cockpit.widgets.lines_view import LinesView
from cockpit.widgets.setup_board import plan_frame

WIDTH = 86


class Agree(LeftOnce, ModalScreen[bool]):
    """`y` or enter is yes, escape is no: the key that asked does not answer."""

    BINDINGS: ClassVar[list[BindingType]] = [("enter,y", "dismiss(True)"), ("escape,n,q", "dismiss(False)")]

    def __init__(self, view: SetupView, glyphs: Glyphs) -> None:
        super().__init__()
        self._view = view
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        width = min(WIDTH, self.app.size.width - 6)
        with Vertical(classes="box wide"):
            yield LinesView(
                [
                    [("mend?", "strong")],
                    [],
                    *plan_frame(self._view, width, self._glyphs),
                    [],
                    [("y", "key"), (" or enter does it   ", "dim"), ("esc", "key"), (" back", "dim")],
                ]
            )
