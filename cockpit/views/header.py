"""The first line: which run, is it well; then the machine, or which screen this is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from cockpit.actions.action import Action
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, Line, both_ends, clean, cut, width_of
from cockpit.views.run_summary import NEEDS_A_HAND

RUN_WIDTH = 28

Ways = Mapping[str, Action[object]]
"""The way to every screen, by its name."""


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


def header_of(screen: str, ways: Ways) -> Callable[[Head, int, int, Glyphs], Frame]:
    """The first line of a screen, which ends in all screens, this one named, and the rule under it.

    On Flight the machine stands before them where there is room.
    """

    def frame(state: Head, width: int, height: int, glyphs: Glyphs) -> Frame:
        left = _left(state, width, glyphs)
        room = width - width_of(left) - 1
        right = screens_line(screen, ways, room)
        if screen == "flight":
            machine: Line = [(cut(clean(state.machine), 48, glyphs.ellipsis), "dim"), ("   ", "text")]
            right = [*machine, *right] if width_of(machine) + width_of(right) <= room else right
        return [both_ends(left, right, width), [(glyphs.rule * width, "faint")]]

    return frame


def screens_line(here: str, ways: Ways, room: int) -> Line:
    """The number keys with the names of all screens, or with as many of their first letters as there is room for."""
    lines = (_screens(here, ways, letters) for letters in (None, 2, 1))
    return next((line for line in lines if width_of(line) <= room), _screens(here, ways, 0))


def _screens(here: str, ways: Ways, letters: int | None) -> Line:
    """The keys, each with so many letters of its screen's name; this screen's name in full."""
    gap, blank = ("", " ") if letters == 1 else (" ", "  ")
    line: Line = []
    for name, go in ways.items():
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


def setup_badge(fails: int, glyphs: Glyphs) -> Line:
    """`✖ 2 to mend`, or nothing."""
    return [(f"   {glyphs.states['failed']} {fails} to fix", "bad")] if fails else []
