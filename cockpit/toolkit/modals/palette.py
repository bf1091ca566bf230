"""The palette that finds keys by their names; it can be left at any moment, and once."""

from __future__ import annotations

from typing import Any

from textual.errors import NoWidget
from textual.events import Click
from textual.timer import Timer, TimerCallback
from textual.widgets import Input

from cockpit.textual_internals import WholePalette
from cockpit.toolkit.modals.modal import LeftOnce


class Palette(LeftOnce, WholePalette):
    """The command palette; enter pressed twice chooses twice before it is gone."""

    def on_mount(self) -> None:
        for field in self.query(Input):  # none, where it was left before it was there
            field.cursor_blink = False

    def set_timer(
        self,
        delay: float,
        callback: TimerCallback | None = None,
        *,
        name: str | None = None,
        pause: bool = False,
    ) -> Timer:
        def while_whole() -> Any:
            return callback() if callback is not None and self.is_whole() else None

        return super().set_timer(delay, while_whole, name=name, pause=pause)

    def on_click(self, event: Click) -> None:
        try:
            self.get_widget_at(event.screen_x, event.screen_y)
        except NoWidget:  # it lies otherwise by now; Textual's own handler would end the app
            event.prevent_default()
