"""A text in full over the screen, to be read."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Resize
from textual.message import Message
from textual.screen import ModalScreen

from cockpit.toolkit.diffing import DiffingWidget
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.key_bar import KeyBar
from cockpit.toolkit.lines import Frame, cut
from cockpit.toolkit.modals.modal import LeftOnce
from cockpit.toolkit.pager import Lines, Pager
from cockpit.toolkit.panels import LinesView

KEYS = (("j k", "line", 0), ("space", "page", 1), ("y", "copy", 3), ("esc", "back", 2))
LOOK_SECONDS = 0.5
"""Between two looks at the header below."""


class CopyText(Message):
    """The app is to copy this."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class HeaderAbove(DiffingWidget):
    """What the header of the screen below says, for as long as that is covered."""

    DEFAULT_CSS = "HeaderAbove { height: 2; }"

    def __init__(self, header: DiffingWidget) -> None:
        super().__init__()
        self._header = header

    def on_mount(self) -> None:
        self.set_interval(LOOK_SECONDS, self.redraw)

    def frame(self, width: int, height: int) -> Frame:
        return self._header.frame(width, height)


class Reading(LeftOnce, ModalScreen[None]):
    """Moved by lines and pages, closed by escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("j,down", "move(1)"),
        ("k,up", "move(-1)"),
        ("space,pagedown", "page(1)"),
        ("pageup,b", "page(-1)"),
        ("home,g", "move(-1000000)"),
        ("end,G", "move(1000000)"),
        ("y", "copy"),
        ("escape,q,enter", "dismiss"),
    ]

    def __init__(self, title: str, lines: Lines, glyphs: Glyphs, copied: str = "") -> None:
        """`title` and `lines` hold nothing that a terminal would obey. copied: what a key copies, if anything."""
        super().__init__(classes="reading")
        self._title = title
        self._text = lines
        self._glyphs = glyphs
        self._copied = copied

    def compose(self) -> ComposeResult:
        below = self.app.screen_stack[-2] if len(self.app.screen_stack) > 1 else self
        for header in below.query("#header").results(DiffingWidget):
            yield HeaderAbove(header)
        yield LinesView([[], []])
        yield Pager(self._text)
        yield KeyBar(self._glyphs)

    def on_mount(self) -> None:
        for bar in self.query(KeyBar):  # none, where it was left before it was there
            bar.show([key for key in KEYS if key[1] != "copy" or self._copied])

    def on_resize(self, event: Resize) -> None:
        title = cut(self._title, event.size.width - 2, self._glyphs.ellipsis)
        for line in self.query(LinesView):
            line.show([[(f" {title}", "strong")], []])

    def action_move(self, by: int) -> None:
        self.query_one(Pager).scroll_lines(by)

    def action_page(self, by: int) -> None:
        pager = self.query_one(Pager)
        pager.scroll_lines(by * max(1, pager.size.height - 2))

    def action_copy(self) -> None:
        if self._copied:
            self.post_message(CopyText(self._copied))
        else:
            self.app.notify("there is nothing to copy here", severity="warning")
