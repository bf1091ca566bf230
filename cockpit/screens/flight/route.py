"""The route: a line for each stage with its bar, its marks and its figures."""

from __future__ import annotations

import math

from cockpit.screens.flight.state import FlightState, StageView
from cockpit.toolkit import figures
from cockpit.toolkit.figures import stage_letter
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Cell, Frame, Line, clean, cut, pad
from engine.words.durations import duration

TITLE_WIDTH = 24
FIGURES_WIDTH = 58


def route_frame(state: FlightState, width: int, height: int, glyphs: Glyphs) -> Frame:
    """Stages in flight order. Titles give way on narrow screens, then the bar becomes short."""
    return [
        stage_line(stage, state, width, glyphs, longest_steps(state.stages)) for stage in state.stages
    ] or [[(" the route is known once the data is read", "dim")]]


def longest_steps(stages: tuple[StageView, ...]) -> int:
    """Digits, commas included, of the largest step number, so that all lines align."""
    return max((len(figures.count(stage.steps)) for stage in stages), default=1)


def stage_line(stage: StageView, state: FlightState, width: int, glyphs: Glyphs, digits: int) -> Line:
    wide = width >= 110
    head: Line = [
        (" stage " if wide else " ", "dim"),
        (stage_letter(stage.stage), "dim" if stage.status == "ahead" else "strong"),
        (" ", "text"),
    ]
    if wide:
        title = cut(clean(stage.title), TITLE_WIDTH - 2, glyphs.ellipsis)
        head = pad([*head, (" " + title, "dim")], 9 + TITLE_WIDTH)
    bar_width = width - sum(len(text) for text, _ in head) - FIGURES_WIDTH - 3
    if bar_width < 6:
        return [*head, *figures_of(stage, state, glyphs, digits)]
    return [*head, *bar(stage, bar_width, glyphs), ("  ", "text"), *figures_of(stage, state, glyphs, digits)]


def bar(stage: StageView, width: int, glyphs: Glyphs) -> Line:
    """How far the stage is, where its epochs begin, its checkpoints and validations; crowded marks give way."""
    row: list[Cell] = [(glyphs.ahead, "faint")] * width
    steps = max(1, stage.steps)
    flown = min(width, int(width * stage.step / steps))
    for x in range(flown):
        row[x] = (glyphs.done, "accent")
    if 0 < stage.step < stage.steps and flown < width:
        row[flown] = (glyphs.head, "accent")
    epochs = range(1, math.ceil(stage.epochs))
    if len(epochs) * 4 <= width:
        for epoch in epochs:
            x = min(width - 1, int(width * epoch / stage.epochs))
            row[x] = (glyphs.epoch, "accent" if x < flown else "dim")
    for marks, glyph, role in (
        (stage.validations, glyphs.validation, "accent"),
        (stage.checkpoints, glyphs.checkpoint, "strong"),
    ):
        shown = marks if len(marks) * 4 <= max(4, flown) else marks[-1:]
        for step in shown:
            row[min(width - 1, max(0, int(width * step / steps) - 1))] = (glyph, role)
    return list(row)


def figures_of(stage: StageView, state: FlightState, glyphs: Glyphs, digits: int) -> Line:
    """What there is to know about the stage, in columns that stay."""
    if stage.status == "ahead":
        noun = "step" if stage.steps == 1 else "steps"
        return [
            (
                f"{glyphs.neither} {figures.count(stage.steps):>{digits}} {noun}, {_epochs(stage.epochs)}",
                "dim",
            )
        ]
    if stage.status == "now":
        return _under_way(stage, state, digits)
    return _ended(stage, glyphs, digits)


def _under_way(stage: StageView, state: FlightState, digits: int) -> Line:
    line: Line = [
        ("step ", "dim"),
        (f"{figures.count(stage.step):>{digits}}", "strong"),
        (f" / {figures.count(stage.steps):>{digits}}", "dim"),
    ]
    if stage.epoch is not None:
        current = min(int(stage.epoch) + 1, max(1, int(stage.epochs)))
        line += [("  epoch ", "dim"), (f"{current}/{int(stage.epochs)}", "text")]
    pace = state.pace
    left = figures.time_left(pace.left, pace.low, pace.high, pace.done_at)
    if left and (state.live or state.state == "parked"):
        line.append(("  " + left, "text"))
    return line


def _ended(stage: StageView, glyphs: Glyphs, digits: int) -> Line:
    whole = stage.status == "done"
    line: Line = [
        (glyphs.states["finished" if whole else "stopped"], "accent" if whole else "strong"),
        (f" {figures.count(stage.step):>{digits}}", "text"),
        (" steps" if whole else f" / {figures.count(stage.steps)}", "dim"),
    ]
    if stage.seconds is not None:
        line.append((f"  {duration(stage.seconds):>6}", "dim"))
    if stage.loss is not None:
        line += [("  val loss ", "dim"), (figures.loss(stage.loss).strip(), "text"), *_against_bar(stage)]
    if stage.score is not None:
        name, value = stage.score
        line += [(f"  {name} ", "dim"), (f"{value:.2f}", "text")]
    return line


def _against_bar(stage: StageView) -> Line:
    """Whether the loss got under its bar; only a miss has a colour."""
    if stage.bar is None or stage.loss is None:
        return []
    under = stage.loss < stage.bar
    return [(f" {'<' if under else '>='} {stage.bar:.1f}", "dim" if under else "warn")]


def _epochs(epochs: float) -> str:
    return "1 epoch" if epochs == 1 else f"{epochs:g} epochs"
