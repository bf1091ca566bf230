"""Screens of the terminal's size, whatever sizes are told on the way there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.geometry import Size

if TYPE_CHECKING:
    from textual.screen import Screen

    _Base = Screen[Any]
else:
    _Base = object


class TerminalSized(_Base):
    """For a screen: an earlier size that comes late is not laid out for.

    Textual lays a screen out for every size it is told, and tells it the size that it laid out for. Two sizes on their
    way at once, as from a window that is dragged, would be told again and again in turn, and no key taken any more.
    """

    def _screen_resized(self, size: Size) -> None:
        super()._screen_resized(self.app.size)
