"""The Setup screen as lines: its own first line, the findings, and the selected one in full."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable

from cockpit.screens.setup.view import SetupView
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import (
    Frame,
    Line,
    both_ends,
    clean,
    columns,
    cut,
    first_seen,
    in_role,
    width_of,
    wrap,
)
from cockpit.views.download import progress_lines
from cockpit.views.findings import change_words, finding_texts, proof_words
from cockpit.views.header import Ways, screens_line, setup_badge
from cockpit.views.setup_state import SetupState
from engine.setup_check.finding import Finding
from engine.words.plural import counted

SIDE_BY_SIDE = 100
"""Columns from which list and finding stand beside each other."""
LABEL = 10
ROLES = {"fail": "bad", "warn": "warn", "info": "dim", "ok": "accent"}
LONGEST = 1000  # lines of one text; what is longer ends in the ellipsis


def mark(status: str, glyphs: Glyphs) -> str:
    """`✖ fail`: glyph and word of a status."""
    signs = {
        "fail": glyphs.states["failed"],
        "warn": glyphs.alert,
        "info": glyphs.neither,
        "ok": glyphs.states["finished"],
    }
    return f"{signs[status]} {status}"


def setup_header(ways: Ways, view: SetupView, width: int, height: int, glyphs: Glyphs) -> Frame:
    """What is looked at and how much is wrong, then the number keys."""
    state = view.state
    line: Line = [(" Setup check", "strong"), (f"  Python {state.version}" if state.version else "", "dim")]
    if width >= SIDE_BY_SIDE:
        line.append(("   ", "text"))
    line += setup_badge(len(state.fails), glyphs) or [
        ("   nothing fails", "accent" if not state.doing else "dim")
    ]
    for status in ("warn", "ok"):
        number = state.count(status)
        line.append((f"  {mark(status, glyphs).split()[0]} {number}", ROLES[status] if number else "dim"))
    keys = screens_line("setup", ways, width - width_of(line) - 1)
    return [both_ends(line, keys, width), [(glyphs.rule * width, "faint")]]


def setup_frame(view: SetupView, width: int, height: int, glyphs: Glyphs) -> Frame:
    """The list, and the selected finding beside or below it; or what the mend says."""
    about = [*_about(view.state, width, glyphs), *download_frame(view, width, glyphs)]
    room = height - len(about)
    if view.output_open:
        return [*about, *output_lines(view.state, width, room, glyphs)]
    if not view.listed:
        nothing = "no finding fits; esc shows all" if view.state.findings else "looking"
        return [*about, [], [(f" {nothing}", "dim")]]
    if width >= SIDE_BY_SIDE:
        left = (width - 3) * 52 // 100
        right = width - left - 3
        detail = _fit(detail_lines(view, right, glyphs), room, glyphs)
        rail: Frame = [[(glyphs.boundary, "faint")] for _ in range(room)]
        blocks = [(list_lines(view, left, room, glyphs), left), (rail, 1), (detail, right)]
        return [*about, *columns(blocks, gap=1)]
    upper = max(4, min(len(view.listed), (room - 1) * 2 // 5))
    detail = _fit(detail_lines(view, width - 2, glyphs, mend_first=True), room - upper - 1, glyphs)
    return [
        *about,
        *list_lines(view, width, upper, glyphs),
        [(glyphs.rule * width, "faint")],
        *([(" ", "text"), *line] for line in detail),
    ]


def _about(state: SetupState, width: int, glyphs: Glyphs) -> Frame:
    """Which interpreter and configuration, when, and what is under way."""
    if state.doing:
        when = f"{glyphs.ellipsis} {clean(state.part) or state.doing} "
    elif state.checked is not None:
        when = f"checked {time.strftime('%H:%M', time.localtime(state.checked))} "
    else:
        when = ""
    what = "   ".join(part for part in (state.python, state.config) if part)
    line = both_ends(
        [(" " + cut(clean(what), width - len(when) - 3, glyphs.ellipsis), "dim")],
        [(when, "strong" if state.doing else "dim")],
        width,
    )
    trouble = wrap(state.trouble, width - 2, 3, glyphs.ellipsis)
    return [line, *in_role([f" {text}" for text in trouble], "bad")]


def download_frame(view: SetupView, width: int, glyphs: Glyphs) -> Frame:
    """How the base model's download stands, unless it is whole."""
    download = view.base.download
    if download is None or download.state == "finished":
        return []
    if not download.live:
        told = f"download {download.state}: {download.message or 'what is here stays'}"
        return in_role([f" {text}" for text in wrap(told, width - 2, 2, glyphs.ellipsis)], "warn")
    lines = progress_lines(download)
    first = f" download {lines[0]}" if download.files else f" {lines[0]}"
    shown = [
        cut(clean(text), width, glyphs.ellipsis) for text in (first, *(f"   {line}" for line in lines[1:]))
    ]
    return [*in_role(shown[:1], "accent"), *in_role(shown[1:], "dim")]


def list_lines(view: SetupView, width: int, height: int, glyphs: Glyphs) -> Frame:
    """A line a finding; its group is named where it begins."""
    listed = view.listed
    first = first_seen(view.selected, len(listed), height)
    frame: Frame = []
    for index in range(first, min(first + height, len(listed))):
        one, above = listed[index], listed[index - 1] if index > first else None
        begins = above is None or (above.group, above.status) != (one.group, one.status)
        here = index == view.selected
        frame.append(
            [
                (f"{glyphs.pointer} " if here else "  ", "accent_strong"),
                (f"{mark(one.status, glyphs):<7}", ROLES[one.status]),
                (f"{one.group if begins else '':<12}", "dim"),
                (
                    cut(clean(one.title), width - 21, glyphs.ellipsis),
                    "strong" if here else "text" if one.status in ("fail", "warn") else "dim",
                ),
            ]
        )
    return frame


def detail_lines(view: SetupView, width: int, glyphs: Glyphs, mend_first: bool = False) -> Frame:
    """The selected finding in full: found, expected, why, consequences, source, mend.

    `mend_first` puts the mend before the reasons, where all that does not fit is cut.
    """
    one = view.shown
    if one is None:
        return []
    frame: Frame = in_role(wrap(one.title, width, 4, glyphs.ellipsis), "strong")
    frame.append([])
    mend = _mend_lines(view, one, width, glyphs)
    for label, text in finding_texts(one):
        if label not in ("found", "expected") and mend_first:
            frame, mend = [*frame, *mend], []
        frame += labelled(label, wrap(text, width - LABEL, LONGEST, glyphs.ellipsis))
    return [*frame, *mend]


def labelled(label: str, texts: Iterable[str], role: str = "text") -> Frame:
    """Lines with a label before the first."""
    return [
        [(f"{label if number == 0 else '':<{LABEL}}", "dim"), (text, role)]
        for number, text in enumerate(texts)
    ]


def _mend_lines(view: SetupView, one: Finding, width: int, glyphs: Glyphs) -> Frame:
    room = width - LABEL
    if not one.fix:
        pending = view.state.doing == "checking" and one.status == "fail" and bool(one.repairs)
        return labelled("fix", ["being worked out"], "dim") if pending else []
    frame: Frame = []
    for command in one.fix:
        frame += labelled("fix", wrap(shlex.join(command), room, LONGEST, glyphs.ellipsis), "accent")
    plan = view.state.plans.get(one.id)
    if plan is not None and plan.changes:
        arrow = "->" if not glyphs.blocks else "→"
        changes = ", ".join(change_words(plan)).replace("→", arrow)
        frame += labelled("changes", wrap(changes, room, LONGEST, glyphs.ellipsis))
        frame += labelled(
            "", wrap(f"nothing else; {proof_words(plan)}", room, LONGEST, glyphs.ellipsis), "dim"
        )
    return frame


def _fit(lines: Frame, height: int, glyphs: Glyphs) -> Frame:
    """The lines that have room; where some have not, the last one says how to read on."""
    if len(lines) <= height:
        return lines
    return [*lines[: max(0, height - 1)], [(f"{glyphs.ellipsis} enter reads on", "dim")]]


def output_lines(state: SetupState, width: int, height: int, glyphs: Glyphs) -> Frame:
    """The end of what the commands of the mend said."""
    lines: Frame = [
        [(f" {text}", "text")]
        for line in state.output[-height:]
        for text in wrap(line, width - 2, LONGEST, glyphs.ellipsis) or [""]
    ]
    return lines[-height:]


def plan_frame(view: SetupView, width: int, glyphs: Glyphs) -> Frame:
    """What a mend would do, to be agreed to."""
    plan = view.plan
    if plan is None:
        return []
    titles = [one.title for one in view.state.findings if one.id in plan.fixes]
    frame: Frame = []
    for title in titles[:4]:
        frame.append([(cut(clean(title), width, glyphs.ellipsis), "text")])
    if len(titles) > 4:
        frame.append([(f"and {len(titles) - 4} more", "text")])
    frame.append([])
    for command in plan.commands:
        frame += in_role(wrap(shlex.join(command), width, 6, glyphs.ellipsis), "accent")
    frame.append([])
    arrow = "->" if not glyphs.blocks else "→"
    for words in change_words(plan)[:8]:
        frame.append([(cut(clean(words.replace("→", arrow)), width, glyphs.ellipsis), "strong")])
    if len(plan.changes) > 8:
        frame.append([(f"and {counted(len(plan.changes) - 8, 'more package')}", "strong")])
    frame += in_role(wrap(proof_words(plan), width, 3, glyphs.ellipsis), "dim")
    kept = "The files that change are kept first; u puts them back byte for byte."
    return [*frame, *in_role(wrap(kept, width, 2), "dim")]
