"""The list of cases with their scores."""

from __future__ import annotations

from cockpit.screens.samples.choice import Listed, SamplesView
from cockpit.toolkit.figures import count, stage_letter
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, Line, clean, cut, first_seen


def case_list(view: SamplesView, width: int, height: int, glyphs: Glyphs) -> Frame:
    """What is listed and how it is ordered, then a line a case; the shown one is marked."""
    frame: Frame = [_heading(view, width)]
    filters = _filters(view)
    if filters:
        frame.append([(cut(clean(filters), width, glyphs.ellipsis), "accent")])
    if not view.listed:
        return [*frame, [], [("none fits; esc shows all", "dim")]]
    room = height - len(frame)
    first = first_seen(view.selected, len(view.listed), room)
    for index in range(first, min(first + room, len(view.listed))):
        frame.append(_line(view.listed[index], index == view.selected, width, glyphs))
    return frame


def _heading(view: SamplesView, width: int) -> Line:
    total = view.total
    shown = len(view.listed)
    number = count(total) if shown == total else f"{count(shown)} of {count(total)}"
    noun = "case" if total == 1 else "cases"
    name = f"{number} {noun}"
    order = f"  {view.choice.order}"
    return [(name, "strong"), (order if len(name) + len(order) <= width else "", "dim")]


def _filters(view: SamplesView) -> str:
    choice = view.choice
    parts = (
        f"stage {stage_letter(choice.stage)}" if choice.stage else "",
        choice.label,
        f"/{choice.search}" if choice.search else "",
    )
    return "  ".join(part for part in parts if part)


def _line(one: Listed, selected: bool, width: int, glyphs: Glyphs) -> Line:
    name = cut(clean(one.case.case), width - 9, glyphs.ellipsis)
    return [
        (f"{glyphs.pointer} " if selected else "  ", "accent_strong"),
        (score_words(one.written.score), score_role(one.written.score)),
        (f" {stage_letter(one.case.stage)} ", "dim"),
        (name, "strong" if selected else "text"),
    ]


def score_words(score: float | None) -> str:
    """Four cells."""
    return f"{'-':>4}" if score is None else f"{score:4.2f}"


def score_role(score: float | None) -> str:
    return "dim" if score is None else "warn" if score < 0.5 else "text"
