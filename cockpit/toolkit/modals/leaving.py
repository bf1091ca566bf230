"""Leaving a screen once: keys may be quicker than the screen is gone, and leaving twice would end the app."""

from __future__ import annotations

from typing import Any

from textual.await_complete import AwaitComplete
from textual.command import CommandPalette
from textual.errors import NoWidget
from textual.events import Click
from textual.timer import Timer, TimerCallback
from textual.widgets import Input

from cockpit.toolkit.modals.sizing import TerminalSized


class LeftOnce(TerminalSized):
    """For a screen over others: what asks it to go when it is not the one on top is not heard."""

    def dismiss(self, result: Any = None) -> AwaitComplete:
        if self.app.screen is not self:
            return AwaitComplete()
        return super().dismiss(result)

    def typed(self, text: str) -> bool:
        """Text, or a letter that is no key of this screen; whether the screen has taken it."""
        return False


class Palette(LeftOnce, CommandPalette):
    """The command palette; enter pressed twice chooses twice before it is gone."""

    def on_mount(self) -> None:
        for field in self.query(Input):  # none, where it was left before it was there
            field.cursor_blink = False

    def _watch__list_visible(self) -> None:
        if self._is_whole():
            super()._watch__list_visible()

    async def _watch__show_busy(self) -> None:
        if self._is_whole():
            await super()._watch__show_busy()

    def set_timer(
        self,
        delay: float,
        callback: TimerCallback | None = None,
        *,
        name: str | None = None,
        pause: bool = False,
    ) -> Timer:
        def while_whole() -> Any:
            return callback() if callback is not None and self._is_whole() else None

        return super().set_timer(delay, while_whole, name=name, pause=pause)

    def _is_whole(self) -> bool:
        """Left while it searched, it still takes what was found, and none of its parts is there any more."""
        return all(self.query(part) for part in ("#--input", "CommandList", "LoadingIndicator"))

    def _action_command_list(self, action: str) -> None:
        # A list without room has no lines: a page of it would end the app.
        if any(one.scrollable_content_region for one in self.query("CommandList")):
            super()._action_command_list(action)

    def on_click(self, event: Click) -> None:
        try:
            self.get_widget_at(event.screen_x, event.screen_y)
        except NoWidget:  # it lies otherwise by now; Textual's own handler would end the app
            event.prevent_default()
