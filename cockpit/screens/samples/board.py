"""The Samples screen as lines: cases, film, texts, labels, and the walk through the checkpoints.

Narrow screens have the film under the list, wide ones between list and texts with the record below it.
"""

from __future__ import annotations

from collections.abc import Callable

from cockpit.actions.common import sample_key
from cockpit.screens.samples.case_list import case_list
from cockpit.screens.samples.case_texts import case_texts
from cockpit.screens.samples.checkpoint_strip import checkpoint_strip
from cockpit.screens.samples.choice import Listed, SamplesView
from cockpit.toolkit.figures import count, stage_letter
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, Line, clean, columns, in_role, trouble_lines, width_of, wrap
from cockpit.views.film_panel import WIDE, film_columns, film_frame
from engine.stages import reads_record

NARROW_LIST = 25
STRIP_ROWS = 2


def samples_frame(view: SamplesView, width: int, height: int, glyphs: Glyphs) -> Frame:
    """Everything between header and keys."""
    if view.book.summary.trouble:
        return trouble_lines(view.book.summary.trouble, width, glyphs.ellipsis)
    if not view.book.cases:
        return [
            [],
            *_centred(
                f"no samples yet: the engine writes some at its cadence, {sample_key()} on Flight asks",
                width,
            ),
        ]
    body = height - STRIP_ROWS - 1
    if view.film_open:
        frame = open_film(view, width, body, glyphs)
    else:
        arrange: Callable[[SamplesView, int, int, Glyphs], Frame] = _wide if width >= WIDE else _narrow
        frame = arrange(view, width, body, glyphs)
    frame += [[] for _ in range(body - len(frame))]
    return [*frame[:body], [], *checkpoint_strip(view, width, glyphs)]


def _wide(view: SamplesView, width: int, height: int, glyphs: Glyphs) -> Frame:
    list_width = 27 if width < 160 else 36
    film_width = film_columns(view.film, (width - list_width) * 48 // 100, height * 2 // 3)
    text_width = width - list_width - film_width - (6 if film_width else 4)
    blocks = [(case_list(view, list_width, height, glyphs), list_width)]
    if film_width:
        blocks.append((_film_and_record(view, film_width, height, glyphs), film_width))
    texts = case_texts(view, text_width, height, glyphs, roomy=True, record=not film_width)
    blocks.append((texts, text_width))
    return [[(" ", "text"), *line] for line in columns(blocks)]


def _narrow(view: SamplesView, width: int, height: int, glyphs: Glyphs) -> Frame:
    film_rows = min(16, height - 7) if view.film is not None and height >= 15 else 0
    list_rows = height - film_rows - (1 if film_rows else 0)
    left = case_list(view, NARROW_LIST, list_rows, glyphs)
    if film_rows:
        left += [[] for _ in range(list_rows + 1 - len(left))]
        left += film_frame(view.film, NARROW_LIST, film_rows, glyphs)
    text_width = width - NARROW_LIST - 4
    texts = case_texts(view, text_width, height, glyphs, roomy=False)
    return [[(" ", "text"), *line] for line in columns([(left, NARROW_LIST), (texts, text_width)])]


def _film_and_record(view: SamplesView, width: int, height: int, glyphs: Glyphs) -> Frame:
    frame = film_frame(view.film, width, height * 2 // 3, glyphs, view.look)
    if view.shown is None:
        return frame
    room = height - len(frame) - 2
    prompt = wrap(view.shown.case.prompt, width, room, glyphs.ellipsis)
    name = "record and question" if reads_record(view.shown.case.stage) else "question"
    return [*frame, [], [(name, "dim")], *in_role(prompt, "dim")]


def open_film(view: SamplesView, width: int, height: int, glyphs: Glyphs) -> Frame:
    """The film over the whole board, under a line that says how it is looked at."""
    look = view.look
    gap = "   " if width >= 80 else "  "
    looked = [f"zoom {look.zoom:g}", f"window {look.window}", f"level {look.level}"]
    looked += ["inverted"] if look.inverted else []
    case = [_case_words(view.shown, "written by " if width >= WIDE else "")]
    line: Line = [
        (" film  ", "strong"),
        (gap.join(case if width_of([(gap.join([*case, *looked]), "")]) + 8 <= width else []), "text"),
        (gap + gap.join(looked), "dim"),
    ]
    picture = film_frame(view.film, width - 2, height - 1, glyphs, look)
    inset = max(0, (width - max(map(width_of, picture), default=0)) // 2)
    return [line, *([(" " * inset, "text"), *row] for row in picture)]


def _case_words(shown: Listed | None, by: str) -> str:
    if shown is None:
        return ""
    stage, step = shown.written.weights
    return f"{clean(shown.case.case)}   {by}{stage_letter(stage)} {count(step)}"


def _centred(text: str, width: int) -> Frame:
    return [[(text.center(width), "dim")]]
