"""The newest generated report beside its reference: what the model said last, and how true it was."""

from __future__ import annotations

from collections.abc import Sequence

from cockpit.screens.flight.actions import SAMPLE
from cockpit.screens.flight.state import CaseView, FlightState
from cockpit.toolkit.figures import count, stage_letter
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.graphics.half_cells import picture_frame
from cockpit.toolkit.lines import Frame, Line, clean, columns, cut, width_of
from cockpit.views.word_diff import invented_lines, missed_lines, shortened, word_difference

Marks = Sequence[tuple[str, str]]
PICTURE_ROWS = 7
"""Below this height a picture shows nothing."""
MARK_ROWS = 2


def report_frame(state: FlightState, width: int, height: int, glyphs: Glyphs) -> Frame:
    """Picture, generated text and reference side by side; stacked where columns would be too narrow."""
    case = state.case
    if case is None:
        return [[(" newest report  ", "strong"), (_none_yet(state), "dim")]]
    margin: Line = [(" ", "text")]
    if height < PICTURE_ROWS:
        return [title_line(case, width, glyphs), *compact_lines(case, width, height - 1, glyphs)]
    body = height - 1
    picture = _picture(case, width // 3, body, glyphs)
    picture_width = max((width_of(line) for line in picture), default=0)
    room = width - 2 - (picture_width + 2 if picture else 0)
    if room >= 84:
        half = (room - 3) // 2
        text = columns(
            [
                (spoken(case, half, body, glyphs), half),
                (referred(case, half, body, glyphs), half),
            ],
            gap=3,
        )
    else:
        top = body // 2
        text = spoken(case, room, top, glyphs)
        text += [[]] * (top - len(text)) + referred(case, room, body - top, glyphs)
    rows = columns([(picture, picture_width), (text, room)]) if picture else text
    return [title_line(case, width, glyphs), *([*margin, *row] for row in rows)]


def title_line(case: CaseView, width: int, glyphs: Glyphs) -> Line:
    """Which case, by which weights."""
    line: Line = [
        (" newest report  ", "strong"),
        (f"stage {stage_letter(case.stage)}  step {count(case.step)}", "text"),
    ]
    place = f"  {case.place}" if case.place else ""
    room = min(34, width - width_of(line) - len(place) - 3)
    line.append((f"  {cut(clean(case.case), max(1, room), glyphs.ellipsis)}{place}", "dim"))
    if case.picture_error and width >= 100:
        line.append(
            ("  " + cut(clean(case.picture_error), width - width_of(line) - 3, glyphs.ellipsis), "warn")
        )
    return line


def spoken(case: CaseView, width: int, height: int, glyphs: Glyphs) -> Frame:
    """What the model wrote, then its labels and codes with their marks."""
    words, _ = word_difference(case.generated, case.reference)
    lines = invented_lines(words, width, glyphs)
    return _told("generated", lines, mark_lines(case, width, glyphs), width, height, glyphs)


def referred(case: CaseView, width: int, height: int, glyphs: Glyphs) -> Frame:
    """What the radiologist wrote."""
    labels = [(name, "text") for name in case.labels_reference]
    codes = [(code, "text") for code in case.codes_reference]
    known = [
        *_named("Labels", labels, width, glyphs, MARK_ROWS),
        *_named("ICD", codes, width, glyphs, MARK_ROWS),
    ]
    _, words = word_difference(case.generated, case.reference)
    return _told("reference", missed_lines(words, width, glyphs), known, width, height, glyphs)


def _told(name: str, text: Frame, known: Frame, width: int, height: int, glyphs: Glyphs) -> Frame:
    """A heading, the prose, and what is known about it; the prose gives way."""
    prose = shortened(text, max(1, height - 1 - len(known)), width, glyphs.ellipsis)
    frame: Frame = [[(name, "dim")], *prose, *known]
    return frame[:height]


def compact_lines(case: CaseView, width: int, height: int, glyphs: Glyphs) -> Frame:
    """Text only, for a screen without room: said, truth, marks; the marks stay, the prose is cut."""
    known = mark_lines(case, width - 2, glyphs, rows=1)
    marks: Frame = [[(" ", "text"), *line] for line in known][: max(0, height - 2)]
    rows = max(0, height - len(marks))
    said_rows = max(1, (rows + 1) // 2)
    frame: Frame = []
    ours, theirs = word_difference(case.generated, case.reference)
    for name, text, share in (
        ("said ", invented_lines(ours, width - 9, glyphs), said_rows),
        ("truth", missed_lines(theirs, width - 9, glyphs), rows - said_rows),
    ):
        for index, line in enumerate(shortened(text, share, width - 9, glyphs.ellipsis)):
            frame.append([(f" {name if index == 0 else '':<5}  ", "dim"), *line])
    return [*frame, *marks][:height]


def mark_lines(case: CaseView, width: int, glyphs: Glyphs, rows: int = MARK_ROWS) -> Frame:
    """Hits, misses and inventions among the labels and the codes, each in at most `rows` lines."""
    return [
        *_marked("Labels", case.labels, width, glyphs, rows),
        *_marked("ICD", case.codes, width, glyphs, rows),
    ]


def _marked(name: str, marks: Marks | None, width: int, glyphs: Glyphs, rows: int) -> Frame:
    if marks is None:
        return [[(f"{name:<7}", "dim"), ("line not readable", "warn")]]
    signs = {
        "hit": (glyphs.hit, "accent"),
        "missed": (glyphs.missed, "missed"),
        "invented": (glyphs.invented, "invented"),
    }
    words = [(f"{signs[mark][0]} {label}", signs[mark][1]) for mark, label in marks]
    return _named(name, words, width, glyphs, rows)


def _named(name: str, words: Sequence[tuple[str, str]], width: int, glyphs: Glyphs, rows: int) -> Frame:
    """`name` and the words in at most `rows` lines, then how many words have no room."""
    if not words:
        return []
    lines: Frame = [[(f"{name:<7}", "dim")]]
    for index, (word, role) in enumerate(words):
        rest = len(words) - index
        piece = clean(word)
        used = width_of(lines[-1])
        on_last = len(lines) == rows
        reserve = len(f"{glyphs.ellipsis} {rest}") if on_last and rest > 1 else 0
        if used > 7 and used + len(piece) + reserve > width:
            if on_last:
                lines[-1].append((cut(f"{glyphs.ellipsis} {rest}", max(0, width - used), ""), "dim"))
                break
            lines.append([(" " * 7, "text")])
        lines[-1].append((piece + "  ", role))
    return lines


def _picture(case: CaseView, width: int, height: int, glyphs: Glyphs) -> Frame:
    if case.picture is None or height < PICTURE_ROWS - 1:
        return []
    return picture_frame(case.picture, width, height, glyphs)


def _none_yet(state: FlightState) -> str:
    return (
        f"none yet; {SAMPLE.key_name} asks for one" if state.state in ("training", "holding") else "none yet"
    )
