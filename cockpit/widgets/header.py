"""The first line: which run, is it well; then the machine, or which screen this is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cockpit.actions.common import GO
from cockpit.screens.flight_state import NEEDS_A_HAND
from cockpit.widgets.glyphs import Glyphs
from cockpit.widgets.lines import Frame, Line, both_ends, clean, cut

RUN_WIDTH = 28


class Head(Protocol):
    """What the first line tells."""

    @property
    def run(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def stalled(self) -> bool: ...
    @property
    def alerts(self) -> int: ...
    @property
    def machine(self) -> str: ...
    @property
    def live(self) -> bool: ...


def header_frame(state: Head, width: int, height: int, glyphs: Glyphs) -> Frame:
    """One line that ends in the machine, and the rule under it."""
    right: Line = [(cut(clean(state.machine), 48, glyphs.ellipsis) + " ", "dim")]
    return [both_ends(_left(state, width, glyphs), right, width), [(glyphs.rule * width, "faint")]]


def header_of(screen: str) -> Callable[[Head, int, int, Glyphs], Frame]:
    """The header of another screen than Flight: its line ends in all screens, this one named."""

    def frame(state: Head, width: int, height: int, glyphs: Glyphs) -> Frame:
        line = both_ends(_left(state, width, glyphs), screens_line(screen, width >= 110), width)
        return [line, [(glyphs.rule * width, "faint")]]

    return frame


def screens_line(here: str, named: bool) -> Line:
    """The number keys; the names of all screens where there is room."""
    line: Line = []
    for name, go in GO.items():
        if name == here:
            line.append((f"{go.key_name} {go.label}  ", "strong"))
        else:
            line += [(go.key_name, "key"), (f" {go.label}  " if named else "  ", "dim")]
    return line


def _left(state: Head, width: int, glyphs: Glyphs) -> Line:
    name = cut(clean(state.run), RUN_WIDTH if width >= 100 else 18, glyphs.ellipsis)
    left: Line = [(" cxr-cockpit", "dim"), ("  ", "text"), (name, "strong"), ("   ", "text")]
    left.extend(state_spans(state, glyphs))
    if state.alerts:
        noun = "alert" if state.alerts == 1 else "alerts"
        left.append((f"   {glyphs.alert} {state.alerts} {noun}", "warn"))
    return left


def state_spans(state: Head, glyphs: Glyphs) -> Line:
    """The state as glyph and word; a stalled engine says both, since it is still in its state."""
    spans: Line = [(glyphs.state(state.state), state_role(state))]
    if state.stalled:
        spans.append(("  " + glyphs.state("stalled"), "bad"))
    return spans


def state_role(state: Head) -> str:
    if state.state in NEEDS_A_HAND:
        return "bad"
    if state.state == "holding":
        return "warn"
    return "accent_strong" if state.live or state.state == "finished" else "strong"
