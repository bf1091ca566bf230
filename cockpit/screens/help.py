"""Every key of a screen, what it does, and why it does not work now, read from the action registry."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from cockpit.actions import Action
from cockpit.actions.common import SCREENS
from cockpit.screens.flight_state import FlightState
from cockpit.widgets.glyphs import Glyphs
from cockpit.widgets.lines import Frame, Line
from cockpit.widgets.lines_view import LinesView


class Help(ModalScreen[None]):
    """Closed by any of the usual keys."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q,question_mark,enter,space", "dismiss")]

    def __init__(self, actions: tuple[Action[Any], ...], state: Any, glyphs: Glyphs) -> None:
        super().__init__()
        self._actions = actions
        self._state = state
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        with Vertical(classes="box wide"):
            yield LinesView(help_lines(self._actions, self._state, self._glyphs))


def help_lines(actions: tuple[Action[Any], ...], state: Any, glyphs: Glyphs) -> Frame:
    """A line a key; where it cannot work now, its reason stands in place of its help."""
    lines: Frame = [[("Keys", "strong"), ("   ctrl+p finds them by name, esc goes back", "dim")], []]
    for action in actions:
        if action.companion:
            continue
        reason = action.reason(state)
        lines.append(
            [
                (f"{action.key_name:>6}  ", "faint" if reason else "key"),
                (f"{action.label_for(state):<12}", "dim" if reason else "text"),
                (reason or action.help, "dim"),
            ]
        )
    return [*lines, [], _screens(), *([_legend(glyphs)] if isinstance(state, FlightState) else [])]


def _screens() -> Line:
    line: Line = [("Screens   ", "strong")]
    for key, _, title in SCREENS:
        line += [(key, "key"), (f" {title}   ", "dim")]
    return line


def _legend(glyphs: Glyphs) -> Line:
    """What the marks on the route mean."""
    return [
        ("On the route   ", "strong"),
        (glyphs.checkpoint, "strong"),
        (" checkpoint   ", "dim"),
        (glyphs.validation, "accent"),
        (" validation", "dim"),
    ]
