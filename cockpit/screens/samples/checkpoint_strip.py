"""The route of one case through the checkpoints: their steps, and its score at each."""

from __future__ import annotations

from cockpit.screens.samples.case_list import score_words
from cockpit.screens.samples.choice import SamplesView
from cockpit.screens.samples.state import Written
from cockpit.toolkit.figures import count, stage_letter
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, Line, first_seen

MARGIN = 13
ROUTE_LENGTH = 8
"""Cells for how many there are, where not all fit."""


def checkpoint_strip(view: SamplesView, width: int, glyphs: Glyphs) -> Frame:
    """Two lines: steps, with the shown one between pointers, and scores under them."""
    if view.shown is None:
        return [[], []]
    route = view.shown.case.written
    at = route.index(view.shown.written)
    cell = max(len(_name(written)) for written in route) + 4
    fits = max(1, (width - MARGIN - ROUTE_LENGTH) // cell)
    first = first_seen(at, len(route), fits)
    seen = route[first : first + fits]
    steps: Line = [(f" {'checkpoints':<{MARGIN - 1}}", "dim")]
    scores: Line = [(f" {'its score':<{MARGIN - 1}}", "dim")]
    for index, written in enumerate(seen, start=first):
        here = index == at
        name = f"{glyphs.left} {_name(written)} {glyphs.right}" if here else _name(written)
        steps.append((name.center(cell), "strong" if here else "dim"))
        bar = _bar(written.score, glyphs)
        scores.append((f"{score_words(written.score)}{bar}".center(cell), "text" if here else "dim"))
    if first > 0 or first + fits < len(route):
        steps.append((f" of {len(route)}", "dim"))
    return [steps, scores]


def _name(written: Written) -> str:
    stage, step = written.weights
    return f"{stage_letter(stage)} {count(step)}"


def _bar(score: float | None, glyphs: Glyphs) -> str:
    """A column as high as the score, where the font has one."""
    if score is None or not glyphs.blocks:
        return ""
    return " " + "▁▂▃▄▅▆▇█"[min(7, max(0, int(score * 8)))]
