"""The first line: which run, is it well, on what machine."""

from __future__ import annotations

from cockpit.screens.flight_state import NEEDS_A_HAND, FlightState
from cockpit.widgets.glyphs import Glyphs
from cockpit.widgets.lines import Frame, Line, both_ends, clean, cut

RUN_WIDTH = 28


def header_frame(state: FlightState, width: int, height: int, glyphs: Glyphs) -> Frame:
    """One line and the rule under it."""
    name = cut(clean(state.run), RUN_WIDTH if width >= 100 else 18, glyphs.ellipsis)
    left: Line = [(" cxr-cockpit", "dim"), ("  ", "text"), (name, "strong"), ("   ", "text")]
    left.extend(state_spans(state, glyphs))
    if state.alerts:
        noun = "alert" if state.alerts == 1 else "alerts"
        left.append((f"   {glyphs.alert} {state.alerts} {noun}", "warn"))
    right: Line = [(cut(clean(state.machine), 48, glyphs.ellipsis) + " ", "dim")]
    return [both_ends(left, right, width), [(glyphs.rule * width, "faint")]]


def state_spans(state: FlightState, glyphs: Glyphs) -> Line:
    """The state as glyph and word; a stalled engine says both, since it is still in its state."""
    spans: Line = [(glyphs.state(state.state), state_role(state))]
    if state.stalled:
        spans.append(("  " + glyphs.state("stalled"), "bad"))
    return spans


def state_role(state: FlightState) -> str:
    if state.state in NEEDS_A_HAND:
        return "bad"
    if state.state == "holding":
        return "warn"
    return "accent_strong" if state.live or state.state == "finished" else "strong"
