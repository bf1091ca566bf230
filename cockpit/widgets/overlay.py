"""The loss of several runs over each other, each with a letter of its own besides its colour."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.actions.runs import MARK
from cockpit.screens.runs_state import RunCurves
from cockpit.widgets import curves, plot
from cockpit.widgets.axes import y_axis
from cockpit.widgets.chart import FURNITURE, LABEL_WIDTH, Layer, floor, framed, merge
from cockpit.widgets.curves import StageCurve
from cockpit.widgets.glyphs import UNICODE, Glyphs
from cockpit.widgets.lines import Frame, Line, clean, clip, cut
from cockpit.widgets.runs_table import MARKS
from cockpit.widgets.still import Still

SMOOTHING = 0.9


@dataclass(frozen=True, slots=True)
class OverlayData:
    """`marked` tells whether these runs were chosen, or only lie under the cursor."""

    runs: tuple[RunCurves, ...] = ()
    marked: bool = False


class Overlay(Still):
    """Draws again only for other data: the drawing is the dearest thing on its screen."""

    DEFAULT_CSS = "Overlay { height: 1fr; min-height: 3; }"

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._data = OverlayData()

    def show(self, data: OverlayData) -> None:
        if data != self._data:
            self._data = data
            self.redraw()

    def frame(self, width: int, height: int) -> Frame:
        return overlay_frame(self._data, width, height, self._glyphs)


def overlay_frame(data: OverlayData, width: int, height: int, glyphs: Glyphs) -> Frame:
    """A legend, then the means over a common axis of steps and losses."""
    legend = clip(_legend(data, glyphs), width)
    longest = max((run.curves for run in data.runs), key=_steps, default=())
    everything = [curve for run in data.runs for curve in run.curves]
    needed = curves.needed_range(everything, SMOOTHING)
    axis = y_axis(needed, None, max(1, height - FURNITURE))
    canvas = plot.Canvas(width - LABEL_WIDTH - 1, height - FURNITURE, 0.0, float(_steps(longest)), axis)
    if canvas.width < 4 or canvas.height < 1:
        return [legend][:height]
    if needed is None:
        empty: Frame = [legend, [], [(" no loss recorded yet", "dim")]]
        return empty[:height]
    drawn = [_layers(run, index, canvas, glyphs) for index, run in enumerate(data.runs)]
    # All letters lie over all lines: a run that ended early must still be found.
    rows = merge([line for line, _ in drawn] + [letter for _, letter in drawn], canvas)
    return [legend, *framed(rows, canvas, glyphs), *floor(longest, canvas, glyphs)]


def _layers(run: RunCurves, index: int, canvas: plot.Canvas, glyphs: Glyphs) -> tuple[Layer, Layer]:
    """The mean of one run, and its letter where it ends."""
    pixels = canvas.width * (2 if glyphs.blocks else 1)
    lines: list[curves.Points] = []
    for curve in run.curves:
        mean = [(step, value, value) for step, value in curves.smooth(curve.raw, SMOOTHING)]
        lines += curves.thin(mean, curve.offset, canvas.span, pixels)
    role = f"curve_{index % len(MARKS) + 1}"
    ends = [line[-1] for line in lines[-1:] if line]
    letter = plot.stamp(ends, canvas, MARKS[index % len(MARKS)])
    return (plot.draw(lines, canvas, glyphs.mean), role), (letter, role)


def _legend(data: OverlayData, glyphs: Glyphs) -> Line:
    line: Line = [(" mean loss (0.9)   ", "strong")]
    for index, run in enumerate(data.runs):
        name = cut(clean(run.run), 24, glyphs.ellipsis)
        line += [
            (f"{MARKS[index % len(MARKS)]} {glyphs.mean_sample}", f"curve_{index % len(MARKS) + 1}"),
            (f" {name}   ", "text"),
        ]
    if not data.marked:
        line.append((f"{MARK.key_name} marks runs to lay over each other", "dim"))
    return line


def _steps(stages: tuple[StageCurve, ...]) -> int:
    return sum(stage.steps for stage in stages)
