"""Two texts word by word: what they share, and what only one of them has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from rich.cells import cell_len

from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, Line, Span, clean, cut

Word = tuple[str, bool]
"""A word as written, and whether the other text lacks it."""

MOST_WORDS = 2000
"""Of a text, that are compared: the comparison takes the square of it."""

_EDGES = re.compile(r"^\W+|\W+$")


@lru_cache(maxsize=16)
def word_difference(mine: str, other: str) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    """The words of both texts, those marked that the other one lacks at this place.

    Case and punctuation at a word's edges make no difference.
    """
    ours, theirs = clean(mine).split()[:MOST_WORDS], clean(other).split()[:MOST_WORDS]
    matcher = SequenceMatcher(None, _bare(ours), _bare(theirs), autojunk=False)
    shared_ours: set[int] = set()
    shared_theirs: set[int] = set()
    for start, other_start, length in matcher.get_matching_blocks():
        shared_ours.update(range(start, start + length))
        shared_theirs.update(range(other_start, other_start + length))
    return (
        tuple((word, index not in shared_ours) for index, word in enumerate(ours)),
        tuple((word, index not in shared_theirs) for index, word in enumerate(theirs)),
    )


def _bare(words: Sequence[str]) -> list[str]:
    return [_EDGES.sub("", word).casefold() or word for word in words]


def invented_lines(words: Sequence[Word], width: int, glyphs: Glyphs) -> Frame:
    """The model's words, marked where the truth lacks them."""
    return marked_lines(words, glyphs.invented, "invented_word", width, glyphs.ellipsis)


def missed_lines(words: Sequence[Word], width: int, glyphs: Glyphs) -> Frame:
    """The words of the truth, marked where the model lacks them."""
    return marked_lines(words, glyphs.lacking, "missed_word", width, glyphs.ellipsis)


def marked_lines(words: Sequence[Word], mark: str, role: str, width: int, ellipsis: str = "…") -> Frame:
    """The words wrapped to `width`; each that differs begins with `mark`: without colours that alone tells it."""
    lines: Frame = []
    line: Line = []
    used = 0
    for word, differs in words:
        shown = cut(mark + word if differs else word, max(1, width), ellipsis)
        gap = 1 if line else 0
        if line and used + gap + cell_len(shown) > width:
            lines.append(line)
            line, used, gap = [], 0, 0
        if gap:
            line.append((" ", "text"))
        span: Span = (shown, role if differs else "text")
        line.append(span)
        used += gap + cell_len(shown)
    return [*lines, line] if line else lines


def shortened(lines: Frame, height: int, width: int, ellipsis: str) -> Frame:
    """At most `height` lines; what is cut ends in the ellipsis."""
    if len(lines) <= height:
        return lines
    if height < 1:
        return []
    last = list(lines[height - 1])
    while last and sum(cell_len(text) for text, _ in last) + len(ellipsis) + 1 > width:
        last.pop()
    return [*lines[: height - 1], [*last, (ellipsis, "dim")]]
