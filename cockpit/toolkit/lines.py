"""Lines of text with named styles, the common language of every widget, and their cells.

A widget describes what it shows as a `Frame`: lines of (text, style) spans. Text that comes from a model, a
data set or an exception goes through `clean`; nothing in a span is ever read as markup or as a control sequence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from rich.cells import cell_len, get_character_cell_size
from rich.style import Style

Paint = str | Style
"""A role of the theme ("accent", "dim", see `cockpit.toolkit.theme`) or, for pictures, a colour of its own."""
Span = tuple[str, Paint]
Line = list[Span]
Frame = list[Line]
Cell = tuple[str, Paint]
"""One terminal cell. The second half of a wide character is the empty string."""

BLANK: Cell = (" ", "text")


def clean(text: str) -> str:
    """`text` without anything a terminal would obey, or take for wider or narrower than it is counted here.

    Controls become U+FFFD, line ends and tabs a space; what changes how the sign before it is drawn goes, and so
    do marks piled up on one letter.
    """
    spaced = text.replace("\r\n", " ").translate(_SAFE)
    piled = "".join(sorted(char for char in set(spaced) if get_character_cell_size(char) == 0))
    if not piled:
        return spaced
    marks = f"[{re.escape(piled)}]"
    return re.sub(f"({marks}{{{MOST_MARKS}}}){marks}+", r"\1", spaced)


MOST_MARKS = 4
"""On one letter; languages that pile them up need no more."""

_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_FILLERS = {0x115F, 0x1160, 0x3164, 0xFFA0}
"""Letters that are not to be seen, and of no width that all terminals agree on."""
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_VARIATIONS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


class _Safe(dict[int, str]):
    """For `str.translate`: what stands for each character, found out once."""

    def __missing__(self, code: int) -> str:
        shown = chr(code)
        if any(code in variations for variations in _VARIATIONS):
            shown = ""
        elif unicodedata.category(shown) in _UNSAFE or code in _FILLERS or code in _SKIN_TONES:
            shown = "\ufffd"
        self[code] = shown
        return shown


_SAFE = _Safe({9: " ", 10: " ", 13: " "})


def width_of(line: Iterable[Span]) -> int:
    """Cells that a line takes."""
    return sum(cell_len(text) for text, _ in line)


def cells(line: Iterable[Span], width: int) -> list[Cell]:
    """The line as exactly `width` cells: cut at the right edge or filled with blanks."""
    row: list[Cell] = []
    for text, paint in line:
        for char in text:
            size = get_character_cell_size(char)
            if size == 0:
                if row:
                    row[-1] = (row[-1][0] + char, row[-1][1])
                continue
            if len(row) + size > width:
                return row + [BLANK] * (width - len(row))
            row.append((char, paint))
            row.extend([("", paint)] * (size - 1))
    return row + [BLANK] * (width - len(row))


def changed_spans(old: Sequence[Cell], new: Sequence[Cell], gap: int = 4) -> list[tuple[int, int]]:
    """Where two rows of the same width differ, as [start, end) columns.

    Neighbours at most `gap` cells apart are one span: moving the cursor costs about as much as sending them.
    """
    spans: list[tuple[int, int]] = []
    for column, (before, after) in enumerate(zip(old, new, strict=True)):
        if before == after:
            continue
        if spans and column - spans[-1][1] <= gap:
            spans[-1] = (spans[-1][0], column + 1)
        else:
            spans.append((column, column + 1))
    return [_whole_characters(span, old, new) for span in spans]


def _whole_characters(span: tuple[int, int], old: Sequence[Cell], new: Sequence[Cell]) -> tuple[int, int]:
    """The span widened so that it cuts no wide character, neither the one shown nor the one to be shown."""
    start, end = span
    while start > 0 and (new[start][0] == "" or old[start][0] == ""):
        start -= 1
    while end < len(new) and (new[end][0] == "" or old[end][0] == ""):
        end += 1
    return start, end


def cut(text: str, width: int, ellipsis: str = "…") -> str:
    """`text` in at most `width` cells, its loss shown by the ellipsis."""
    # What is much longer is not measured: a report may be a megabyte, and a letter has few marks on it.
    if len(text) <= (1 + MOST_MARKS) * (width + 1) and cell_len(text) <= width:
        return text
    if width <= len(ellipsis):
        return ellipsis[:width]
    kept = ""
    room = width - len(ellipsis)
    for char in text:
        room -= get_character_cell_size(char)
        if room < 0:
            break
        kept += char
    return kept.rstrip() + ellipsis


def clip(line: Line, width: int) -> Line:
    """The line without what lies beyond `width` cells."""
    if width_of(line) <= width:
        return line
    clipped: Line = []
    room = width
    for text, paint in line:
        kept = ""
        for char in text:
            room -= get_character_cell_size(char)
            if room < 0:
                return [*clipped, (kept, paint)]
            kept += char
        clipped.append((kept, paint))
    return clipped


def pad(line: Line, width: int) -> Line:
    """The line filled with blanks up to `width`, for what shall start at a fixed column after it."""
    missing = width - width_of(line)
    return [*line, (" " * missing, "text")] if missing > 0 else line


def in_role(texts: Iterable[str], role: str) -> Frame:
    """A line of one role for each text."""
    return [[(text, role)] for text in texts]


def trouble_lines(text: str, width: int, ellipsis: str) -> Frame:
    """Why something cannot be shown, in full where that takes no more than a few lines."""
    return in_role([f" {line}" for line in wrap(text, width - 2, TROUBLE_ROWS, ellipsis)], "bad")


TROUBLE_ROWS = 4


def both_ends(left: Line, right: Line, width: int) -> Line:
    """`left` at the left edge and `right` at the right one; where both do not fit, `right` gives way."""
    room = width - width_of(left)
    if width_of(right) + 1 > room:
        return left
    return [*left, (" " * (room - width_of(right)), "text"), *right]


def wrap(text: str, width: int, height: int, ellipsis: str = "…") -> list[str]:
    """Words of `text` in at most `height` lines of `width` cells; what is cut ends in the ellipsis."""
    if width < 1 or height < 1:
        return []
    seen = text[: PLENTY + 4 * width * height]
    lines: list[str] = []
    current = ""
    for word in clean(seen).split():
        joined = f"{current} {word}" if current else word
        if cell_len(joined) <= width:
            current = joined
            continue
        if current:
            lines.append(current)
        *whole, current = _pieces(word, width)
        lines += whole
        if len(lines) > height:
            break
    if current:
        lines.append(current)
    if len(lines) <= height and len(seen) == len(text):
        return lines
    last = lines[:height][-1] if lines else ""
    shortened = (
        last + ellipsis
        if cell_len(last) + cell_len(ellipsis) <= width
        else cut(last + " " * width, width, ellipsis)
    )
    return [*lines[:height][:-1], shortened]


PLENTY = 2000
"""Characters of a text that are looked at, besides four for every cell: the rest is beyond any line shown."""


def _pieces(word: str, width: int) -> list[str]:
    """The word in pieces that fit, of at least one character each."""
    pieces = [""]
    room = width
    for char in word:
        size = get_character_cell_size(char)
        if size > room and pieces[-1]:
            pieces.append("")
            room = width
        pieces[-1] += char
        room -= size
    return pieces


def columns(blocks: Sequence[tuple[Frame, int]], gap: int = 2) -> Frame:
    """Frames side by side, each in its own width, `gap` blanks between them."""
    height = max((len(frame) for frame, _ in blocks), default=0)
    rows: Frame = []
    for y in range(height):
        row: Line = []
        for index, (frame, width) in enumerate(blocks):
            line = frame[y] if y < len(frame) else []
            row.extend(pad(clip(line, width), width))
            if index < len(blocks) - 1:
                row.append((" " * gap, "text"))
        rows.append(row)
    return rows


def first_seen(selected: int, total: int, height: int) -> int:
    """The first line to draw: the selected one in the middle, without empty lines at the ends."""
    return min(max(0, selected - height // 2), max(0, total - height))
