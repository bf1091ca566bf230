"""Samples of the curriculum as the model reads them: what is masked is dim, what is supervised is bright."""

from __future__ import annotations

from cockpit.screens.data.state import DataView
from cockpit.toolkit.figures import count, stage_letter
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, Line, clean, clip, columns, cut, first_seen, in_role, width_of, wrap
from cockpit.views.film_panel import WIDE, film_columns, film_frame
from engine.data.curriculum import Sample
from engine.data.icd import dotted
from engine.words.plural import counted

LIST_WIDTH = 25


def browser_frame(view: DataView, width: int, height: int, glyphs: Glyphs) -> Frame:
    """List, film and text; narrow screens have the film under the list."""
    if not view.listed:
        return [[(" no sample fits; esc shows all", "dim")]]
    if width >= WIDE:
        list_width = LIST_WIDTH + 6
        film_width = film_columns(view.film, (width - list_width) * 45 // 100, height - 2)
        text_width = width - list_width - film_width - (6 if film_width else 4)
        blocks = [(sample_list(view, list_width, height, glyphs), list_width)]
        if film_width:
            blocks.append((film_frame(view.film, film_width, height, glyphs), film_width))
    else:
        film_rows = min(16, height - 8) if view.film is not None and height >= 15 else 0
        list_rows = height - film_rows - (1 if film_rows else 0)
        left = sample_list(view, LIST_WIDTH, list_rows, glyphs)
        left += [[] for _ in range(height - film_rows - len(left))]
        left += film_frame(view.film, LIST_WIDTH, film_rows, glyphs)
        text_width = width - LIST_WIDTH - 4
        blocks = [(left, LIST_WIDTH)]
    blocks.append((sample_text(view, text_width, height, glyphs), text_width))
    return [[(" ", "text"), *line] for line in columns(blocks)]


def sample_list(view: DataView, width: int, height: int, glyphs: Glyphs) -> Frame:
    """Stage, split and id."""
    total, shown = len(view.state.samples), len(view.listed)
    name = counted(total, "sample") if total == shown else f"{count(shown)} of {count(total)}"
    frame: Frame = [[(name, "strong")]]
    stage, split = view.part
    words = "  ".join(
        word
        for word in (
            f"stage {stage_letter(stage)}" if stage else "",
            split,
            f"/{clean(view.search)}" if view.search else "",
        )
        if word
    )
    if words:
        frame.append([(cut(words, width, glyphs.ellipsis), "accent")])
    room = height - len(frame)
    first = first_seen(view.selected, shown, room)
    for index in range(first, min(first + room, shown)):
        sample = view.listed[index]
        here = index == view.selected
        frame.append(
            [
                (f"{glyphs.pointer if here else '':<2}", "accent_strong"),
                (f"{stage_letter(sample.stage)} {sample.split:<5} ", "dim"),
                (cut(clean(sample.id), width - 10, glyphs.ellipsis), "strong" if here else "text"),
            ]
        )
    return frame


def sample_text(view: DataView, width: int, height: int, glyphs: Glyphs) -> Frame:
    """Prompt dim, answer bright, then what the labels and codes say."""
    sample = view.shown
    if sample is None:
        return []
    head: Frame = [
        [(cut(clean(sample.id), width, glyphs.ellipsis), "strong")],
        [
            (
                cut(clean(f"patient {sample.subject_id}   study {sample.study_id}"), width, glyphs.ellipsis),
                "dim",
            )
        ],
        *tokens_lines(view, width),
        [],
    ]
    truth = truth_lines(sample, width, glyphs)
    room = height - len(head) - len(truth) - 1
    answer = answer_lines(sample, width, max(3, room // 2), glyphs)
    prompt = prompt_lines(view, sample, width, max(1, room - len(answer)), glyphs)
    return [*head, *prompt, *answer, [], *truth][:height]


def prompt_lines(view: DataView, sample: Sample, width: int, height: int, glyphs: Glyphs) -> Frame:
    """What the model is given: masked, so nothing is learned from it."""
    image = f"<image> {glyphs.times}{view.counted.image}" if view.counted else "<image>"
    text = f"[INST] {image} {sample.prompt} [/INST]"
    return in_role(wrap(text, width, height, glyphs.ellipsis), "dim")


def answer_lines(sample: Sample, width: int, height: int, glyphs: Glyphs) -> Frame:
    """What the model learns to write, its last line for the machine on a line of its own."""
    lines: list[str] = []
    for line in sample.target.split("\n"):
        lines += wrap(line, width, 10_000)
    lines[-1:] = wrap(f"{lines[-1] if lines else ''} </s>", width, 10_000)
    if len(lines) > height:
        lines = [*lines[: height - 1], glyphs.ellipsis]
    return in_role(lines, "strong")


def tokens_lines(view: DataView, width: int) -> Frame:
    """Where the sample's tokens go, on two lines where one is too narrow; one too long is refused, never cut."""
    tokens, limit = view.counted, view.state.lengths.limit
    if tokens is None:
        return [[]]
    whole = tokens.prompt + tokens.answer
    first: Line = [(counted(whole, "token"), "text")]
    if whole > limit > 0:
        first.append((f"   over {count(limit)}: refused", "bad"))
    parts = f"{count(tokens.prompt)} masked, {count(tokens.answer)} supervised"
    one: Line = [*first[:1], (f"   {parts}", "dim"), *first[1:]]
    return [one] if width_of(one) <= width else [clip(first, width), [(parts, "dim")]]


def truth_lines(sample: Sample, width: int, glyphs: Glyphs) -> Frame:
    """Labels and codes as the curriculum has them."""
    positive = [name for name, state in sample.labels.items() if state == 1]
    unsure = [f"{name} ?" for name, state in sample.labels.items() if state == -1]
    frame: Frame = []
    for name, words in (("labels", [*positive, *unsure]), ("ICD", [dotted(code) for code in sample.icd])):
        if words:
            text = ", ".join(words)
            for index, line in enumerate(wrap(text, width - 8, 2, glyphs.ellipsis)):
                frame.append([(f"{name if index == 0 else '':<8}", "dim"), (line, "text")])
    return frame


def data_text(sample: Sample, width: int, glyphs: Glyphs) -> Frame:
    """The sample in full, for reading."""
    room = width - 4
    frame: Frame = []
    for name, text, role in (
        ("prompt (masked)", sample.prompt, "dim"),
        ("answer (supervised)", sample.target, "strong"),
    ):
        frame.append([(name, "accent")])
        for line in text.split("\n"):
            frame += in_role(wrap(line, room, 10_000), role) or [[]]
        frame.append([])
    frame += truth_lines(sample, room, glyphs)
    return [[("  ", "text"), *line] for line in frame]
