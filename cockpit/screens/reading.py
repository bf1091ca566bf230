"""A text in full over the screen, to be read."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Resize
from textual.screen import ModalScreen

from cockpit.screens.leaving import LeftOnce
from cockpit.widgets.glyphs import Glyphs
from cockpit.widgets.keys import KeyBar
from cockpit.widgets.lines import cut
from cockpit.widgets.lines_view import LinesView
from cockpit.widgets.pager import Lines, Pager

KEYS = (("j k", "line", 0), ("space", "page", 1), ("esc", "back", 2))


class Reading(LeftOnce, ModalScreen[None]):
    """Moved by lines and pages, closed by escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("j,down", "move(1)"),
        ("k,up", "move(-1)"),
        ("space,pagedown", "page(1)"),
        ("pageup,b", "page(-1)"),
        ("home,g", "move(-1000000)"),
        ("end,G", "move(1000000)"),
        ("escape,q,enter", "dismiss"),
    ]

    def __init__(self, title: str, lines: Lines, glyphs: Glyphs) -> None:
        """`title` and `lines` hold nothing that a terminal would obey."""
        super().__init__(classes="reading")
        self._title = title
        self._text = lines
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        yield LinesView([[], []])
        yield Pager(self._text)
        yield KeyBar(self._glyphs)

    def on_mount(self) -> None:
        for bar in self.query(KeyBar):  # none, where it was left before it was there
            bar.show(KEYS)

    def on_resize(self, event: Resize) -> None:
        title = cut(self._title, event.size.width - 2, self._glyphs.ellipsis)
        for line in self.query(LinesView):
            line.show([[(f" {title}", "strong")], []])

    def action_move(self, by: int) -> None:
        self.query_one(Pager).scroll_lines(by)

    def action_page(self, by: int) -> None:
        pager = self.query_one(Pager)
        pager.scroll_lines(by * max(1, pager.size.height - 2))
