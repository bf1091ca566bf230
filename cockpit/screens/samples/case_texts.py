"""What was written about a case beside what should have been: word by word, then labels or diagnoses."""

from __future__ import annotations

from cockpit.screens.samples.choice import Listed, SamplesView
from cockpit.screens.samples.label_table import (
    POLICY,
    POLICY_SHORT,
    code_lines,
    label_marks,
    label_table,
    titles_of,
)
from cockpit.toolkit.figures import count, stage_letter
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, Line, clean, cut, in_role, wrap
from cockpit.views.labels import marks
from cockpit.views.word_diff import invented_lines, missed_lines, shortened, word_difference
from engine.stages import reads_record

GUTTER = 7
ROOMY = 40
"""Columns from which nothing has to be said shortly."""


def case_texts(
    view: SamplesView, width: int, height: int, glyphs: Glyphs, roomy: bool, record: bool = True
) -> Frame:
    """The shown case; where there is little room, the names of the texts stand in the margin.

    Without `record`, what was known of the patient has a place of its own beside this.
    """
    shown = view.shown
    if shown is None:
        return []
    known = machine_part(shown, width, glyphs, roomy)
    head: Frame = [
        [
            (cut(clean(shown.case.case), width - 18, glyphs.ellipsis), "strong"),
            (f"   {'written ' if width >= ROOMY else ''}by {stage_letter(shown.written.weights[0])} ", "dim"),
            (count(shown.written.weights[1]), "text"),
        ],
        scores_line(shown, width, glyphs),
    ]
    room = height - len(head) - len(known) - (3 if roomy else 2)
    texts = two_texts(view, width if roomy else width - GUTTER, room - (2 if roomy else 0), glyphs)
    frame = [*head, *([[]] if roomy else [])]
    for name, lines in texts:
        if roomy:
            frame += [[(name, "dim")], *lines, []]
        else:
            short = name.split(" ", 1)[0][: GUTTER - 1]
            frame += [
                [(f"{short if index == 0 else '':<{GUTTER}}", "dim"), *line]
                for index, line in enumerate(lines)
            ]
    if not roomy:
        frame.append([])
    frame += known
    if roomy and not view.blanked and view.blank_text is not None and height - len(frame) > 3:
        said, _ = word_difference(view.blank_text, shown.written.prose)
        lines = invented_lines(said, width, glyphs)
        frame += [[], [("image blanked, against what it said", "dim")]]
        frame += shortened(lines, height - len(frame), width, glyphs.ellipsis)
    if record and height - len(frame) > 3:
        frame += [[], *_record(shown, width, height - len(frame) - 1, glyphs)]
    return frame[:height]


def _record(shown: Listed, width: int, height: int, glyphs: Glyphs) -> Frame:
    """What was known of the patient and asked, where it has no place of its own."""
    name = "record" if reads_record(shown.case.stage) else "asked"
    lines = wrap(shown.case.prompt, width - GUTTER, height, glyphs.ellipsis)
    return [
        [(f"{name if index == 0 else '':<{GUTTER}}", "dim"), (line, "dim")]
        for index, line in enumerate(lines)
    ]


def two_texts(view: SamplesView, width: int, height: int, glyphs: Glyphs) -> list[tuple[str, Frame]]:
    """(name, lines) of the generated text and of the one it is held against, in `height` lines together."""
    shown = view.shown
    if shown is None:
        return []
    other_name, other = "truth (reference)", shown.case.reference
    if view.blanked and view.blank_text is not None:
        other_name, other = "blank image", view.blank_text
    ours, theirs = word_difference(shown.written.prose, other)
    mine = invented_lines(ours, width, glyphs)
    wanted = missed_lines(theirs, width, glyphs)
    top = min(len(mine), max(height - len(wanted), (height + 1) // 2))
    return [
        ("said (generated)", shortened(mine, top, width, glyphs.ellipsis) or [[("nothing", "dim")]]),
        (other_name, shortened(wanted, height - top, width, glyphs.ellipsis)),
    ]


def scores_line(shown: Listed, width: int, glyphs: Glyphs) -> Line:
    """This case's own scores."""
    parts = [f"{score.title} {score.value:.2f}" for score in shown.written.scores]
    return [(cut("   ".join(parts) or "not scored", width, glyphs.ellipsis), "dim")]


def machine_part(shown: Listed, width: int, glyphs: Glyphs, roomy: bool) -> Frame:
    """The labels of stage A with the policy they are judged by, or the diagnoses of stage B."""
    if shown.case.labels:
        policy = wrap(POLICY, width, 2, glyphs.ellipsis) if roomy else [POLICY_SHORT]
        table: Frame = label_table(label_marks(shown.case.labels, shown.written.labels), width, glyphs)
        if shown.written.labels is None:
            policy = ["label line not readable: counts as no labels"]
        heading: Frame = [_legend("labels", width, glyphs)] if roomy else []
        return [*heading, *table, *in_role(policy, "dim")]
    if not shown.case.codes and not shown.written.codes:
        return []
    if shown.written.codes is None:
        wanted = "  ".join(shown.case.codes)
        return [[("ICD line not readable", "warn")], [("wanted  ", "dim"), (wanted, "text")]]
    found = marks(shown.written.codes, shown.case.codes)
    titles = titles_of(shown.case.reference_text, shown.written.text)
    return [_legend("diagnoses", width, glyphs), *code_lines(found, titles, width, glyphs)]


def _legend(name: str, width: int, glyphs: Glyphs) -> Line:
    return [
        (f"{name}   " if width >= ROOMY else "", "dim"),
        (glyphs.hit, "accent"),
        (" hit  ", "dim"),
        (glyphs.missed, "missed"),
        (" missed  ", "dim"),
        (glyphs.invented, "invented"),
        (" invented", "dim"),
    ]
