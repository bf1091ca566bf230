"""The header of a screen about a run; what the setup check finds failing shows at its right edge."""

from __future__ import annotations

from typing import cast

from cockpit.screens.shared.host import Host
from cockpit.toolkit.lines import Frame, Line, both_ends, width_of
from cockpit.toolkit.panels import Panel, S
from cockpit.views.header import setup_badge
from cockpit.views.setup_state import SetupState


class RunHeader(Panel[S]):
    """A panel that gives the setup_badge its room while there is one."""

    fails = 0

    def on_mount(self) -> None:
        host = cast(Host, self.app)
        self._follow(host.setup)
        host.setup_changed.subscribe(self, self._follow)

    def _follow(self, state: SetupState) -> None:
        if len(state.fails) != self.fails:
            self.fails = len(state.fails)
            self.redraw()

    def frame(self, width: int, height: int) -> Frame:
        right = setup_badge(self.fails, self._glyphs)
        if not right:
            return super().frame(width, height)
        right = [*right, (" ", "text")]
        frame = super().frame(width - width_of(right) - 1, height)
        if not frame:
            return frame
        rule: Line = [(self._glyphs.rule * width, "faint")]
        return [both_ends(frame[0], right, width), *([rule] if len(frame) > 1 else [])]
