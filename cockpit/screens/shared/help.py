"""Every key of a screen, what it does, and why it does not work now, read from its actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.events import Resize
from textual.screen import ModalScreen

from cockpit.actions.action import Action, works
from cockpit.actions.common import HELP
from cockpit.textual_internals import add_key
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, Line, width_of, wrap
from cockpit.toolkit.modals.modal import LeftOnce
from cockpit.toolkit.pager import Lines, Pager
from cockpit.toolkit.panels import LinesView

CLOSING = "escape,q,enter"
WIDTH, MARGINS = 92, 4
"""Columns of the box, and how many of them are its margins."""
LABEL = 12
"""Columns of the labels, at least."""
MOST = 3
"""Rows that one action may take."""
AROUND = 5
"""Rows of the box that are no keys: its edges, the title and the line under it."""


class Help(LeftOnce, ModalScreen[None]):
    """The keys of what is open come first. Closed by any of the usual keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        (CLOSING, "dismiss"),
        ("j,down", "move(1)"),
        ("k,up", "move(-1)"),
        ("space,pagedown", "page(1)"),
        ("b,pageup", "page(-1)"),
    ]

    def __init__(
        self,
        actions: Sequence[Action[Any]],
        state: Any,
        glyphs: Glyphs,
        ways: Mapping[str, Action[object]],
        legend: Frame,
    ) -> None:
        """`ways` lead to the screens; `legend` stands last."""
        super().__init__()
        self._lines: Lines = partial(help_lines, actions, state, glyphs, ways, legend)
        add_key(self, HELP.keys, "dismiss")

    def compose(self) -> ComposeResult:
        with Vertical(classes="box wide"):
            yield LinesView([[], []], id="title")
            yield Pager(self._lines)

    def on_resize(self, event: Resize) -> None:
        lines = len(self._lines(min(WIDTH, event.size.width) - MARGINS))
        room = event.size.height - AROUND + 1
        tight = lines > room  # then the keys begin right below the title
        rows = max(1, min(lines, room + tight))
        for pager in self.query(Pager):  # none, where it was left before it was there
            pager.styles.height = rows
        more = "j k moves, " if rows < lines else ""
        words = f"   ctrl+p finds by name, {more}esc goes back"
        for title in self.query(LinesView):
            title.styles.height = 1 if tight else 2
            title.show([[("Keys", "strong"), (words, "dim")], []])

    def action_move(self, by: int) -> None:
        self.query_one(Pager).scroll_lines(by)

    def action_page(self, by: int) -> None:
        pager = self.query_one(Pager)
        pager.scroll_lines(by * max(1, pager.size.height - 1))


def help_lines(
    actions: Sequence[Action[Any]],
    state: Any,
    glyphs: Glyphs,
    ways: Mapping[str, Action[object]],
    legend: Frame,
    width: int,
) -> Frame:
    """A line a key; where it cannot work now, its reason stands in place of its help."""
    lines: Frame = []
    keys = max((len(action.key_name) for action in actions if not action.companion), default=0)
    shown = [action for action in actions if not action.companion]
    label = max([LABEL, *(width_of([(one.label_for(state), "")]) + 2 for one in shown)])
    room = max(1, width - keys - 2 - label)
    for action in shown:
        reason = "" if works(action, state) else action.reason(state)
        head: Line = [
            (f"{action.key_name:>{keys}}  ", "faint" if reason else "key"),
            (f"{action.label_for(state):<{label}}", "dim" if reason else "text"),
        ]
        for words in wrap(reason or action.help, room, MOST, glyphs.ellipsis):
            lines.append([*head, (words, "dim")])
            head = [(" " * width_of(head), "text")]
    return [*lines, *_screens(ways, width), *legend]


def _screens(ways: Mapping[str, Action[object]], width: int) -> Frame:
    """All screens, on as many lines as they take."""
    frame: Frame = [[("Screens   ", "strong")]]
    for go in ways.values():
        screen: Line = [(go.key_name, "key"), (f" {go.label}", "dim")]
        if width_of([*frame[-1], *screen]) > width:
            frame.append([(" " * len("Screens   "), "text")])
        frame[-1] += [*screen, ("   ", "text")]
    return frame
