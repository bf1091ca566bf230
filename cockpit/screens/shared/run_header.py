"""The header of a screen about a run; what the setup check finds failing shows at its right edge."""

from __future__ import annotations

from typing import Any, cast

from cockpit.screens.setup.board import badge
from cockpit.toolkit.lines import Frame, Line, both_ends, width_of
from cockpit.toolkit.panel import Panel, S
from cockpit.views.setup_state import SetupState


class RunHeader(Panel[S]):
    """A panel that gives the badge its room while there is one."""

    fails = 0

    def on_mount(self) -> None:
        app = cast(Any, self.app)
        self._follow(app.setup)
        app.setup_changed.subscribe(self, self._follow)

    def _follow(self, state: SetupState) -> None:
        if len(state.fails) != self.fails:
            self.fails = len(state.fails)
            self.redraw()

    def frame(self, width: int, height: int) -> Frame:
        right = badge(self.fails, self._glyphs)
        if not right:
            return super().frame(width, height)
        right = [*right, (" ", "text")]
        frame = super().frame(width - width_of(right) - 1, height)
        if not frame:
            return frame
        rule: Line = [(self._glyphs.rule * width, "faint")]
        return [both_ends(frame[0], right, width), *([rule] if len(frame) > 1 else [])]
