"""The table of runs."""

from __future__ import annotations

import time

from cockpit.screens.runs.state import RunRow, RunsView
from cockpit.toolkit import figures
from cockpit.toolkit.figures import size_words, stage_letter
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, Line, clean, clip, cut, first_seen, pad, trouble_lines, width_of
from cockpit.views.run_summary import NEEDS_A_HAND
from engine.metrics import registry
from engine.words.durations import duration

MARKS = "abcd"
ROOMY = 104
#: Cells of the step.
STEP, STEP_ROOMY = 11, 15


def runs_frame(view: RunsView, width: int, height: int, glyphs: Glyphs) -> Frame:
    """A heading, then a line a run."""
    scores = len(_shorts()) * (6 if width >= ROOMY else 5)
    others = 72 if width >= ROOMY else 56
    name_width = min(40 if width >= 160 else 26, max(16, width - others - scores))
    if view.state.summary.trouble:
        return trouble_lines(view.state.summary.trouble, width, glyphs.ellipsis)
    frame: Frame = [whole_columns(heading(name_width, width >= ROOMY), width)]
    room = height - 1
    first = first_seen(view.selected, len(view.state.rows), room)
    for index in range(first, min(first + room, len(view.state.rows))):
        line = row_line(view, index, name_width, width >= ROOMY, glyphs)
        frame.append(clip(line, width) if view.state.rows[index].trouble else whole_columns(line, width))
    return frame


def whole_columns(line: Line, width: int) -> Line:
    """The line without the columns that have no room: half a number would be another one."""
    kept = list(line)
    while kept and width_of([*kept[:-1], (kept[-1][0].rstrip(), "")]) > width:
        kept.pop()
    return kept


def heading(name_width: int, roomy: bool) -> Line:
    gap = "  " if roomy else " "
    columns = [
        f"     {'run':<{name_width}}",
        f"{'state':<12}",
        f"{'step':<{STEP_ROOMY if roomy else STEP}}",
        f"{'val':>5}",
        gap.join(f"{short:>4}" for short in _shorts()),
        f"{'took':>7}",
        f"{'size':>7}",
        "written" if roomy else "",
    ]
    return [(f"{column}{gap}", "dim") for column in columns]


def row_line(view: RunsView, index: int, name_width: int, roomy: bool, glyphs: Glyphs) -> Line:
    """Mark, name, state, progress, figures."""
    row = view.state.rows[index]
    here = index == view.selected
    gap = "  " if roomy else " "
    mark = view.marked.index(row.name) if row.name in view.marked else None
    name = cut(clean(row.name), name_width, glyphs.ellipsis)
    line: Line = [
        (f" {glyphs.pointer if here else '':<2}", "accent_strong"),
        (f"{MARKS[mark] if mark is not None else '':<2}", f"curve_{mark + 1}" if mark is not None else "dim"),
        *pad([(name, "strong" if here else "text")], name_width),
        (gap, "text"),
    ]
    if row.trouble:
        return [*line, (clean(row.trouble), "bad")]
    state = glyphs.state("stalled" if row.stalled else row.state)
    return [
        *line,
        (f"{cut(state, 12, ''):<12}{gap}", _state_role(row)),
        (f"{_progress(row, roomy)}{gap}", "text"),
        (f"{figures.loss(row.loss)}{gap}", "text"),
        ("".join(f"{_share(score)}{gap}" for score in row.scores or [None] * len(_shorts())), "text"),
        (f"{duration(row.seconds) if row.seconds is not None else '-':>7}{gap}", "text"),
        (f"{size_words(row.bytes):>7}{gap}", "text"),
        (age_words(view.now - row.written) if roomy else "", "dim"),
    ]


def age_words(seconds: float) -> str:
    """How long ago, in steps so coarse that the line rarely changes."""
    if seconds < 120:
        return "just now"
    if seconds < 36 * 3600:
        return f"{duration(60 * (seconds // 60) if seconds < 5400 else 3600 * (seconds // 3600))} ago"
    return time.strftime("%Y-%m-%d", time.localtime(time.time() - seconds))


def _progress(row: RunRow, roomy: bool) -> str:
    """`B 120/1664`; where that is too long, the share that is done: half a number would be another one."""
    width = STEP_ROOMY if roomy else STEP
    if not row.stage or row.step is None:
        return f"{'-':<{width}}"
    letter = stage_letter(row.stage)
    words = f"{letter} {row.step}" if row.steps is None else f"{letter} {row.step}/{row.steps}"
    if len(words) > width and row.steps:
        words = f"{letter} {100 * row.step // row.steps} %"
    return f"{words:<{width}}"


def _shorts() -> list[str]:
    """The scores of the table, each in four cells."""
    return [metric.short[:4].strip() for metric in registry.METRICS if metric.short]


def _share(value: float | None) -> str:
    return f"{'-':>4}" if value is None else f"{value:4.2f}"


def _state_role(row: RunRow) -> str:
    if row.state in NEEDS_A_HAND or row.stalled:
        return "bad"
    if row.state == "holding":
        return "warn"
    return "accent" if row.live or row.state == "finished" else "text"
