"""What an engine that ended badly has left: why, in whose words, what mends it, what is safe."""

from __future__ import annotations

from collections.abc import Sequence

from cockpit.screens.flight.state import FlightState
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, in_role, wrap
from engine.runs.aftermath import Aftermath
from engine.runs.status import NO_NOTICE

NAME_WIDTH = 8
ROWS = ((3, 3, 3, 3), (3, 1, 3, 3), (2, 1, 2, 2), (1, 1, 2, 1), (1, 1, 1, 1))
"""Lines of each part at most, of which the first that fit are taken; the Log screen has all of them."""


def aftermath_frame(state: FlightState, width: int, height: int, glyphs: Glyphs) -> Frame:
    """Why, error, hint and safe in the words of `status`; shorter where there is little room.

    Empty for a run that did not end badly.
    """
    frames = (_parts(state, width, rows, glyphs) for rows in ROWS)
    return next((frame for frame in frames if len(frame) <= height), _parts(state, width, ROWS[-1], glyphs))


def _last_words(state: FlightState, after: Aftermath) -> tuple[str, str]:
    """What the engine said of it; where it could say nothing, the last line of its log."""
    if state.error.startswith(NO_NOTICE) and after.last_lines:
        return "log", after.last_lines[-1]
    return "error", state.error if state.error != after.reason else ""


def _parts(state: FlightState, width: int, rows: Sequence[int], glyphs: Glyphs) -> Frame:
    after = state.aftermath
    if after is None:
        return []
    parts = (
        ("why", after.reason, "bad"),
        (*_last_words(state, after), "text"),
        ("hint", after.hint, "strong"),
        ("safe", after.safe, "text"),
    )
    frame: Frame = []
    for (name, words, role), most in zip(parts, rows, strict=True):
        lines = in_role(wrap(words, width - NAME_WIDTH - 2, most, glyphs.ellipsis), role)
        for place, line in enumerate(lines):
            frame.append([(f" {name if place == 0 else '':<{NAME_WIDTH}}", "dim"), *line])
    return frame
