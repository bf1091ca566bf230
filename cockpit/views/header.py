"""The first line: which run, is it well; then the machine, or which screen this is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cockpit.actions.common import GO
from cockpit.screens.flight.state import NEEDS_A_HAND
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, Line, both_ends, clean, cut, width_of

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
    """One line that ends in all screens, before them the machine where there is room, and the rule under it."""
    left = _left(state, width, glyphs)
    room = width - width_of(left) - 1
    screens = screens_line("flight", room)
    machine: Line = [(cut(clean(state.machine), 48, glyphs.ellipsis), "dim"), ("   ", "text")]
    right = [*machine, *screens] if width_of(machine) + width_of(screens) <= room else screens
    return [both_ends(left, right, width), [(glyphs.rule * width, "faint")]]


def header_of(screen: str) -> Callable[[Head, int, int, Glyphs], Frame]:
    """The header of another screen than Flight: its line ends in all screens, this one named."""

    def frame(state: Head, width: int, height: int, glyphs: Glyphs) -> Frame:
        left = _left(state, width, glyphs)
        line = both_ends(left, screens_line(screen, width - width_of(left) - 1), width)
        return [line, [(glyphs.rule * width, "faint")]]

    return frame


def screens_line(here: str, room: int) -> Line:
    """The number keys with the names of all screens, or with as many of their first letters as there is room for."""
    lines = (_screens(here, letters) for letters in (None, 2, 1))
    return next((line for line in lines if width_of(line) <= room), _screens(here, 0))


def _screens(here: str, letters: int | None) -> Line:
    """The keys, each with so many letters of its screen's name; this screen's name in full."""
    gap, blank = ("", " ") if letters == 1 else (" ", "  ")
    line: Line = []
    for name, go in GO.items():
        if name == here:
            line.append((f"{go.key_name} {go.label}{blank}", "strong"))
        else:
            line += [(go.key_name, "key"), (f"{gap}{go.label[:letters]}".rstrip() + blank, "dim")]
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
