"""The 14 labels, or the diagnoses, of a case: hit, missed, invented, and those that neither side has."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, Line, clean, columns, cut, pad

POLICY = "uncertain (?) and blank count as negative; unreadable line: no labels"
POLICY_SHORT = "uncertain (?) and blank count as negative"

SIGNS = {"hit": "accent", "missed": "missed", "invented": "invented", "neither": "faint"}
"""The role of each mark; its glyph says the same without colour."""


def label_marks(
    wanted: Sequence[tuple[str, int | None]], given: Collection[str] | None
) -> list[tuple[str, str]]:
    """(mark, name) of every label, in its order; an uncertain one has a question mark."""
    marks = []
    for name, state in wanted:
        mine, theirs = name in (given or ()), state == 1
        mark = "hit" if mine and theirs else "missed" if theirs else "invented" if mine else "neither"
        marks.append((mark, f"{name} ?" if state == -1 else name))
    return marks


def label_table(marks: Sequence[tuple[str, str]], width: int, glyphs: Glyphs, across: int = 2) -> Frame:
    """The marks in `across` columns, read downwards."""
    rows = -(-len(marks) // across)
    room = (width - 2 * (across - 1)) // across
    blocks = []
    for column in range(across):
        frame: Frame = [
            mark_line(mark, name, room, glyphs) for mark, name in marks[column * rows : (column + 1) * rows]
        ]
        blocks.append((frame, room))
    return columns(blocks)


def code_lines(
    marks: Sequence[tuple[str, str]], titles: Mapping[str, str], width: int, glyphs: Glyphs
) -> Frame:
    """A diagnosis a line, with its title where one was written."""
    return [
        mark_line(mark, f"{code:<8} {titles.get(code, '')}".rstrip(), width, glyphs) for mark, code in marks
    ]


def mark_line(mark: str, name: str, width: int, glyphs: Glyphs) -> Line:
    sign = getattr(glyphs, mark)
    role = SIGNS[mark]
    room = max(len(glyphs.hit), len(glyphs.missed), len(glyphs.invented)) + 1
    text = cut(clean(name), max(1, width - room), glyphs.ellipsis)
    return pad([(f"{sign:<{room}}", role), (text, "dim" if mark == "neither" else "text")], width)


def titles_of(*texts: str) -> dict[str, str]:
    """Code → title, from the ICD lines of answers."""
    titles: dict[str, str] = {}
    for text in texts:
        last = text.strip().rpartition("\n")[2]
        name, _, entries = last.partition(":")
        if name.strip().casefold() == "icd":
            for entry in entries.split(";"):
                code, _, title = entry.strip().partition(" ")
                titles.setdefault(code.rstrip(",:"), title.strip())
    return titles
