"""Leaving a screen once: keys may be quicker than the screen is gone, and leaving twice would end the app."""

from __future__ import annotations

from typing import Any

from textual.await_complete import AwaitComplete

from cockpit.textual_internals import TerminalSized


class LeftOnce(TerminalSized):
    """For a screen over others: what asks it to go when it is not the one on top is not heard."""

    def dismiss(self, result: Any = None) -> AwaitComplete:
        if self.app.screen is not self:
            return AwaitComplete()
        return super().dismiss(result)

    def typed(self, text: str) -> bool:
        """Text, or a letter that is no key of this screen; whether the screen has taken it."""
        return False
