"""Everything about a case as one text, for reading it in full."""

from __future__ import annotations

from cockpit.screens.samples.case_texts import machine_part
from cockpit.screens.samples.choice import SamplesView
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, clean, columns, in_role, wrap
from cockpit.views.word_diff import invented_lines, missed_lines, word_difference

MARGIN = 2
SIDE_BY_SIDE = 100


def full_text(view: SamplesView, width: int, glyphs: Glyphs) -> Frame:
    """Generated and reference, beside each other where that is readable, then labels, prompt and record."""
    shown = view.shown
    if shown is None:
        return []
    room = width - 2 * MARGIN
    ours, theirs = word_difference(shown.written.prose, shown.case.reference)
    half = (room - 4) // 2 if width >= SIDE_BY_SIDE else room
    said: Frame = [
        [("said (generated)", "dim")],
        *invented_lines(ours, half, glyphs),
    ]
    wanted: Frame = [
        [("truth (reference)", "dim")],
        *missed_lines(theirs, half, glyphs),
    ]
    frame = columns([(said, half), (wanted, half)], gap=4) if width >= SIDE_BY_SIDE else [*said, [], *wanted]
    frame += [[], *machine_part(shown, min(room, 76), glyphs, roomy=True)]
    if view.blank_text is not None:
        frame += [[], [("with the image blanked", "dim")], *_plain(view.blank_text, room)]
    frame += [[], [("prompt, as the model read it", "dim")], *paragraphs(shown.case.prompt, room)]
    return [[(" " * MARGIN, "text"), *line] for line in frame]


def paragraphs(text: str, width: int) -> Frame:
    """The text with its own line ends kept, wrapped."""
    frame: Frame = []
    for line in text.split("\n"):
        frame += _plain(clean(line), width) or [[]]
    return frame


def _plain(text: str, width: int) -> Frame:
    return in_role(wrap(text, width, 10_000), "text")
