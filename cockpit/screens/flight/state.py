"""What the Flight screen shows of a run, as one immutable value.

A thread builds it from the run directory; the widgets only read it. Equal values mean that nothing has to be
drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.toolkit.charts.curves import StageCurve
from cockpit.toolkit.graphics.film import Thumbnail
from cockpit.views.metrics import Metric
from cockpit.views.run_summary import LIVE
from engine.runs.aftermath import Aftermath


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage of the route; `step` counts within it. `status` is "ahead", "now", "done" or "stopped"."""

    stage: str
    title: str
    steps: int
    step: int
    epochs: float
    epoch: float | None
    bar: float | None
    status: str
    loss: float | None = None
    score: tuple[str, float] | None = None
    seconds: float | None = None
    validations: tuple[int, ...] = ()
    checkpoints: tuple[int, ...] = ()
    planned_bytes: float | None = None
    planned_samples_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes, None where unknown. `limit` is what the device recommends or has, `wired` what somebody has set instead;
    `utilization` and `pressure` lie in 0…1. `silent` names what was asked for and had no answer."""

    process: float | None = None
    device: float | None = None
    reserved: float | None = None
    limit: float | None = None
    used: float | None = None
    total: float | None = None
    utilization: float | None = None
    swap: float | None = None
    pressure: float | None = None
    wired: float | None = None
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast it goes; the time left and its range in seconds, `done_at` a wall time."""

    samples_per_second: float | None = None
    left: float | None = None
    low: float | None = None
    high: float | None = None
    done_at: float | None = None
    slower: float | None = None


@dataclass(frozen=True, slots=True)
class CaseView:
    """A generated report beside its reference.

    `labels` and `codes` are (mark, name) with the mark "hit", "missed" or "invented", in this order;
    None where the line could not be read from the generated text.
    """

    case: str
    stage: str
    step: int
    generated: str
    reference: str
    labels: tuple[tuple[str, str], ...] | None = ()
    labels_reference: tuple[str, ...] = ()
    codes: tuple[tuple[str, str], ...] | None = ()
    codes_reference: tuple[str, ...] = ()
    place: str = ""
    picture: Thumbnail | None = None
    picture_error: str = ""


@dataclass(frozen=True, slots=True)
class EventView:
    """Something that happened; `level` is "info", "warning" or "error"."""

    time: str
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A part of a series to be read: steps over all stages, in at most so many columns."""

    tag: str
    first: float
    last: float
    columns: int


@dataclass(frozen=True, slots=True)
class Zoomed:
    """What was read of a wanted part; a little before it, too, so that its mean is the same as anywhere."""

    tag: str = ""
    curves: tuple[StageCurve, ...] = ()


@dataclass(frozen=True, slots=True)
class Trend:
    """A series over the whole run, coarsely, for a small chart; `newest` is its last value."""

    metric: Metric
    curves: tuple[StageCurve, ...]
    newest: float | None


@dataclass(frozen=True, slots=True)
class FlightState:
    """Everything on the Flight screen. `note` says what the engine does where steps do not tell it.

    `cases` are those of the newest round of samples; `case_shown` is the screen's choice among them,
    `pending` what it has asked of the engine and not heard of. `trouble` is why the run cannot be read now.
    `zoom_open` is whether the screen shows the full-screen chart, `zoomed` what it has asked to be read for it.
    `aftermath` is what is left of a run that ended badly.
    `alerts` is how many nobody has acknowledged: the app knows it, no source.
    """

    run: str
    state: str
    stalled: bool = False
    note: str = ""
    error: str = ""
    aftermath: Aftermath | None = None
    machine: str = ""
    alerts: int = 0
    checkpoint: str = ""
    stages: tuple[StageView, ...] = ()
    curves: tuple[StageCurve, ...] = ()
    zoomed: Zoomed | None = None
    zoom_open: bool = False
    trends: tuple[Trend, ...] = ()
    memory: Memory = Memory()
    pace: Pace = Pace()
    cases: tuple[CaseView, ...] = ()
    case_shown: int = 0
    pending: str = ""
    trouble: str = ""
    events: tuple[EventView, ...] = ()

    @property
    def live(self) -> bool:
        return self.state in LIVE

    @property
    def case(self) -> CaseView | None:
        """The case on the screen."""
        return self.cases[self.case_shown % len(self.cases)] if self.cases else None

    @property
    def stage_ahead(self) -> bool:
        """Whether a stage of the route has not begun."""
        return any(stage.status == "ahead" for stage in self.stages)

    @property
    def stage_now(self) -> StageView | None:
        """The stage under way, else the last one that was."""
        now = [stage for stage in self.stages if stage.status == "now"]
        begun = [stage for stage in self.stages if stage.status != "ahead"]
        known = now or begun
        return known[-1] if known else None
