"""The Log screen as lines: why it ended, what is filtered, then the log."""

from __future__ import annotations

from cockpit.screens.log.state import LEVELS, LogLine, LogState
from cockpit.toolkit.figures import count
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, Line, both_ends, clean, clip, cut, in_role, trouble_lines, wrap

ROLES = {"error": "bad", "warning": "warn", "info": "text"}
REASON_ROWS = 3
WITH_DATE = 100
"""Columns from which the day is shown, not the time alone."""


def log_frame(state: LogState, width: int, height: int, glyphs: Glyphs) -> Frame:
    """The heading, then as many lines as there is room for."""
    head = log_heading(state, width, glyphs)
    if not state.lines:
        return [*head, [], [(f" {_nothing(state)}", "dim")]]
    room = max(0, height - len(head))
    shown = [
        log_line(line, state.first + index == state.selected, state.following, width, glyphs)
        for index, line in enumerate(state.lines)
    ]
    return [*head, *shown[-room:]] if state.following else [*head, *shown[:room]]


def heading_rows(state: LogState, width: int, glyphs: Glyphs) -> int:
    """Rows above the log."""
    return len(log_heading(state, width, glyphs))


def log_heading(state: LogState, width: int, glyphs: Glyphs) -> Frame:
    """Why the run ended badly, in its own and in plain words, then one line about what is shown."""
    frame: Frame = []
    if state.summary.trouble:
        frame += trouble_lines(state.summary.trouble, width, glyphs.ellipsis)
    if state.error:
        words = f"{state.summary.state}: {state.error}"
        frame += in_role([f" {line}" for line in wrap(words, width - 2, REASON_ROWS, glyphs.ellipsis)], "bad")
        frame += in_role(
            [f" {line}" for line in wrap(state.advice, width - 2, REASON_ROWS, glyphs.ellipsis)], "strong"
        )
        frame.append([])
    return [*frame, _about(state, width, glyphs)]


def _about(state: LogState, width: int, glyphs: Glyphs) -> Line:
    line: Line = [(" training.log   ", "strong")]
    if state.filtered:
        line.append((f"{count(state.total)} of ", "text"))
    line.append((f"{count(state.every)} {'line' if state.every == 1 else 'lines'}", "text"))
    noun = "error" if state.errors == 1 else "errors"
    line.append((f"   {count(state.errors)} {noun}", "bad" if state.errors else "dim"))
    if state.level != LEVELS[0]:
        line.append((f"   {state.level}", "accent"))
    if state.words:
        line.append((f"   /{cut(clean(state.words), 30, glyphs.ellipsis)}", "accent"))
    if state.left_out:
        line.append((f"   the first {state.left_out / 1e6:,.0f} MB are left out", "dim"))
    place = "follows" if state.following else f"line {count(state.selected + 1)}"
    return clip(both_ends(line, [(f"{place} ", "dim")], width), width)


def log_line(line: LogLine, selected: bool, following: bool, width: int, glyphs: Glyphs) -> Line:
    """The line, cut to the width; the selected one has a pointer, unless the end is followed."""
    pointed = selected and not following
    stamp, rest = split_stamp(clean(line.text))
    stamp = stamp if width >= WITH_DATE else stamp[11:]
    rest = cut(rest, width - 3 - len(stamp), glyphs.ellipsis)
    role = ROLES[line.level]
    return [
        (f"{glyphs.pointer} " if pointed else "  ", "accent_strong"),
        (stamp, "strong" if pointed else "dim"),
        (rest, "strong" if pointed and role == "text" else role),
    ]


def split_stamp(text: str) -> tuple[str, str]:
    """A leading date and time, and the rest."""
    head = text[:19]
    digits = head.replace("-", "").replace(":", "").replace(" ", "")
    return (text[:20], text[20:]) if len(digits) == 14 and digits.isdigit() else ("", text)


def _nothing(state: LogState) -> str:
    if state.filtered:
        return "no line fits; esc shows all"
    return "nothing written yet"
