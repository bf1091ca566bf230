"""One series over the whole screen: zoom, pan, a crosshair with the values under it, a logarithmic axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cockpit.screens.flight.state import Wanted, Zoomed
from cockpit.screens.flight.window import Window
from cockpit.toolkit import figures
from cockpit.toolkit.charts import curves, plot
from cockpit.toolkit.charts.axes import Axis
from cockpit.toolkit.charts.chart import (
    FURNITURE,
    LABEL_WIDTH,
    Layer,
    axis_over,
    floor,
    framed,
    layers,
    level,
    merge,
    upright,
)
from cockpit.toolkit.charts.curves import StageCurve
from cockpit.toolkit.diffing import DiffingWidget
from cockpit.toolkit.figures import stage_letter
from cockpit.toolkit.glyphs import UNICODE, Glyphs
from cockpit.toolkit.lines import Frame, Line, both_ends, width_of
from cockpit.views.metrics import LOSS, Metric

PANNED = 0.5
CLOSER = 0.5


@dataclass(frozen=True, slots=True)
class Look:
    """How the series is looked at."""

    metric: Metric
    window: Window
    smoothing: float
    log: bool = False


class ZoomChart(DiffingWidget):
    """Holds the part that is looked at; the steps of that part come from whoever reads the run."""

    DEFAULT_CSS = "ZoomChart { height: 1fr; display: none; }"

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._data = Zoomed()
        self._axis: Axis | None = None
        self._smoothing = 0.9
        self._log = False
        self.metric = LOSS
        self.window = Window.whole(1.0, 0.0)

    def begin(self, stages: Sequence[StageCurve]) -> None:
        """Show all steps, the newest under the crosshair."""
        self.window = Window.whole(float(max(1, sum(stage.steps for stage in stages))), newest(stages))
        self._axis = None

    def show(
        self, data: Zoomed, stages: Sequence[StageCurve], smoothing: float, metric: Metric, log: bool
    ) -> None:
        """`stages` are the whole run, `data` what was read of the part that is looked at."""
        if metric != self.metric:
            self._axis = None
        self._data, self._smoothing, self.metric, self._log = data, smoothing, metric, log
        self.window = self.window.grown(newest(stages), float(max(1, sum(stage.steps for stage in stages))))
        self.redraw()

    def wanted(self) -> Wanted:
        """What has to be read for the part that is looked at."""
        return Wanted(self.metric.tag, self.window.first, self.window.last, 2 * max(40, self.size.width))

    def move(self, how: str, newest_step: float) -> None:
        """Another part, or another place of the crosshair; `how` is the end of the action's id."""
        width = max(2, self.size.width - LABEL_WIDTH - 1)
        window = self.window
        moves: dict[str, Callable[[], Window]] = {
            "left": lambda: window.pointed(-1, width),
            "right": lambda: window.pointed(1, width),
            "closer": lambda: window.scaled(CLOSER),
            "wider": lambda: window.scaled(1 / CLOSER),
            "earlier": lambda: window.panned(-PANNED),
            "later": lambda: window.panned(PANNED),
            "first": window.at_start,
            "last": lambda: window.at_end(newest_step),
            "whole": lambda: Window.whole(window.total, window.cursor),
        }
        self.window = moves[how]()
        self.redraw()

    def frame(self, width: int, height: int) -> Frame:
        look = Look(self.metric, self.window, self._smoothing, self._log)
        self._axis = axis_for(self._data, look, self._axis, max(1, height - FURNITURE))
        return zoom_frame(self._data, look, self._axis, width, height, self._glyphs)


def newest(stages: Sequence[StageCurve]) -> float:
    """The newest step over all stages."""
    reached = [stage.offset + stage.raw[-1].step_hi for stage in stages if stage.raw]
    return float(max(reached, default=0))


def axis_for(data: Zoomed, look: Look, previous: Axis | None, rows: int) -> Axis:
    """An axis for what lies in the window."""
    seen = [_seen(curve, look.window) for curve in data.curves]
    return axis_over(seen, look.smoothing, look.log, previous, rows)


def zoom_frame(data: Zoomed, look: Look, axis: Axis, width: int, height: int, glyphs: Glyphs) -> Frame:
    """Legend with the values under the crosshair, the curves, the steps."""
    legend = legend_line(data, look, width, glyphs)
    window = look.window
    canvas = plot.Canvas(width - LABEL_WIDTH - 1, height - FURNITURE, window.first, window.last, axis)
    if canvas.width < 4 or canvas.height < 1:
        return [legend][:height]
    drawn = layers(data.curves, look.smoothing, canvas, glyphs)
    rows = merge([*_crosshair(data, look, canvas, glyphs), *drawn], canvas)
    return [legend, *framed(rows, canvas, glyphs, bool(data.curves)), *floor(data.curves, canvas, glyphs)]


def _crosshair(data: Zoomed, look: Look, canvas: plot.Canvas, glyphs: Glyphs) -> list[Layer]:
    """A line down at the step, one across at its mean."""
    under = values_at(data.curves, look.window.cursor, look.smoothing)
    y = canvas.y.place(under.mean) if under else None
    across = level(y, canvas) if y is not None and canvas.y.low <= y <= canvas.y.high else []
    return [
        (plot.stamp(across, canvas, glyphs.crosshair[0]), "faint"),
        (plot.stamp(upright(look.window.cursor, canvas), canvas, glyphs.crosshair[1]), "accent"),
    ]


@dataclass(frozen=True, slots=True)
class Under:
    """What lies under the crosshair: a step, or the few that one column holds, and the last validation."""

    stage: str
    step_lo: int
    step_hi: int
    low: float | None
    high: float | None
    mean: float | None
    validation: tuple[int, float | None] | None


def values_at(stages: Sequence[StageCurve], x: float, smoothing: float) -> Under | None:
    """The values nearest to x; None where nothing is known."""
    places = [
        (abs(stage.offset + (bucket.step_lo + bucket.step_hi) / 2 - x), stage, index)
        for stage in stages
        for index, bucket in enumerate(stage.raw)
    ]
    if not places:
        return None
    _, stage, index = min(places, key=lambda place: place[0])
    bucket = stage.raw[index]
    before = [mark for mark in stage.validation if mark[0] <= bucket.step_hi]
    return Under(
        stage.stage,
        bucket.step_lo,
        bucket.step_hi,
        curves.finite(bucket.low),
        curves.finite(bucket.high),
        curves.smooth(stage.raw, smoothing)[index][1],
        before[-1] if before else None,
    )


def legend_line(data: Zoomed, look: Look, width: int, glyphs: Glyphs) -> Line:
    """Which series and how, then the values under the crosshair."""
    left: Line = [
        (f" {look.metric.name}{', log' if look.log else ''}  ", "strong"),
        (glyphs.raw_sample, "raw"),
        (" raw  ", "dim"),
        (glyphs.mean_sample, "mean"),
        (f" mean {look.smoothing:g}", "dim"),
    ]
    under = values_at(data.curves, look.window.cursor, look.smoothing)
    if under is None:
        return [*left, ("   nothing recorded here", "dim")]
    steps = f"{under.step_lo:,}" if under.step_lo == under.step_hi else f"{under.step_lo:,}-{under.step_hi:,}"
    right: Line = [
        (f"{stage_letter(under.stage)} step {steps}", "accent"),
        ("  raw ", "dim"),
        (_raw(under), "text"),
        ("  mean ", "dim"),
        (figures.value(under.mean), "mean"),
    ]
    if under.validation is not None and width >= 100:
        step, loss = under.validation
        right += [("  val ", "dim"), (f"{figures.value(loss)} at {step:,}", "mark")]
    right.append((" ", "text"))
    if width_of(left) + width_of(right) + 1 > width:
        left = left[:1]
    return both_ends(left, right, width)


def _raw(under: Under) -> str:
    """One value, or the lowest and the highest."""
    if under.low == under.high:
        return figures.value(under.low)
    return f"{figures.value(under.low)}..{figures.value(under.high)}"


def _seen(stage: StageCurve, window: Window) -> StageCurve:
    """What of the stage lies in the window."""
    low, high = window.first - stage.offset, window.last - stage.offset
    raw = tuple(bucket for bucket in stage.raw if bucket.step_hi >= low and bucket.step_lo <= high)
    marks = tuple(mark for mark in stage.validation if low <= mark[0] <= high)
    bar = stage.bar if raw else None
    return StageCurve(stage.stage, stage.offset, stage.steps, bar, raw, marks)
