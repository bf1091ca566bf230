"""The last things that happened, and what needs a hand now."""

from __future__ import annotations

from cockpit.actions.common import log_key
from cockpit.screens.flight import actions as flight
from cockpit.screens.flight.state import EventView, FlightState
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, Line, clean, cut
from cockpit.views.run_summary import NEEDS_A_HAND

LEVEL_ROLES = {"warning": "warn", "error": "bad"}


def events_frame(state: FlightState, width: int, height: int, glyphs: Glyphs) -> Frame:
    """The newest event is the lowest line; a notice, if there is one, takes the top line."""
    notice = notice_line(state, width, glyphs)
    room = height - 1 if notice else height
    shown = state.events[-room:] if room > 0 else ()
    frame = [event_line(event, width, glyphs) for event in shown]
    return [notice, *frame] if notice else frame


def event_line(event: EventView, width: int, glyphs: Glyphs) -> Line:
    text = cut(clean(event.text), max(0, width - 12), glyphs.ellipsis)
    return [(f" {event.time:<8}  ", "dim"), (text, LEVEL_ROLES.get(event.level, "text"))]


def notice_line(state: FlightState, width: int, glyphs: Glyphs) -> Line:
    """What to do, in states that wait for somebody."""
    text, role = notice(state)
    if not state.trouble and (under_way := working(state) or state.pending):
        text, role = under_way, "accent"
    return [(" " + cut(clean(text), width - 2, glyphs.ellipsis), role)] if text else []


def working(state: FlightState) -> str:
    """How far an evaluation is, in the engine's words; empty while there is none."""
    return state.note if state.state == "evaluating" else ""


def notice(state: FlightState) -> tuple[str, str]:
    """(sentence, role); empty when nothing waits."""
    if state.trouble:
        return f"the run cannot be read: {state.trouble}", "bad"
    key = flight.RESUME.key_name
    resume = f"{key} goes on from {state.checkpoint}" if state.checkpoint else f"{key} starts it again"
    if state.state in NEEDS_A_HAND:
        return f"{state.state}   {resume}   {log_key()} shows its log", "bad"
    if state.stalled:
        return (
            f"no step for much longer than usual; {flight.STOP.key_name} stops it, training.log may say why",
            "bad",
        )
    if state.state == "holding":
        hold, park = flight.HOLD.key_name, flight.PARK.key_name
        return f"holding, model in memory   {hold} continues   {park} parks and frees the memory", "warn"
    if state.state == "parked":
        return f"parked, memory is free   {resume}", "strong"
    if state.state == "stopped":
        return f"stopped   {f'{key} starts the next stage' if state.stage_ahead else resume}", "strong"
    if state.state == "finished" and state.checkpoint:
        can = (
            (flight.EVALUATE, "evaluates it"),
            (flight.REPORT, "reports on an image"),
            (flight.EXPORT, "exports it"),
        )
        return "   ".join(["finished", *(f"{action.key_name} {does}" for action, does in can)]), "strong"
    return "", "text"
