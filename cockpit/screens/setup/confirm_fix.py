"""Shows what a mend would do, and asks."""

from __future__ import annotations

from typing import ClassVar

from cockpit.screens.setup.board import plan_frame
from cockpit.screens.setup.view import SetupView
from cockpit.textual_internals import add_key
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame
from cockpit.toolkit.modals.confirm import Question

WIDTH = 86


class ConfirmFix(Question):
    """The plan in full stands between the question and its answers."""

    wide: ClassVar[bool] = True

    def __init__(self, view: SetupView, glyphs: Glyphs) -> None:
        super().__init__("does it")
        self._view = view
        self._glyphs = glyphs
        add_key(self, "y", "say")

    def lines(self) -> Frame:
        width = min(WIDTH, self.app.size.width - 6)
        return [[("fix?", "strong")], [], *plan_frame(self._view, width, self._glyphs)]
