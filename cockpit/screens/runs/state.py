"""What the Runs screen shows, as immutable values."""

from __future__ import annotations

from dataclasses import dataclass, field

from cockpit.toolkit.charts.curves import StageCurve
from cockpit.views.metrics import LOSS, ChartChoice, Metric
from cockpit.views.run_summary import LIVE, RunSummary

MOST_MARKED = 4
"""Curves that can be told from each other."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in the table. `loss` is its newest validation loss; `scores` are its best of the metrics that speak for a
    stage, `written` when it last changed.

    `linked`: the directory of runs has only a link to it. `trouble` is why it cannot be read; then only its name is
    known.
    """

    name: str
    state: str = "unread"
    stalled: bool = False
    stage: str = ""
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    scores: tuple[float | None, ...] = ()
    seconds: float | None = None
    bytes: int = 0
    checkpoints: int = 0
    written: float = 0.0
    linked: bool = False
    trouble: str = ""

    @property
    def live(self) -> bool:
        return self.state in LIVE


@dataclass(frozen=True, slots=True)
class RunCurves:
    """A series of one run over its route."""

    run: str
    curves: tuple[StageCurve, ...]
    metric: Metric = LOSS


@dataclass(slots=True)
class RunsChoice:
    """What was chosen on the Runs screen: it outlives the screen, which another run's opening closes."""

    marked: tuple[str, ...] = ()
    chart: ChartChoice = field(default_factory=ChartChoice)


@dataclass(frozen=True, slots=True)
class RunsState:
    """All runs, the one written last first, and the curves that were asked for. `summary` is of the open run."""

    summary: RunSummary
    rows: tuple[RunRow, ...] = ()
    curves: tuple[RunCurves, ...] = ()


@dataclass(frozen=True, slots=True)
class RunsView:
    """The table with what was chosen in it; `marked` are names in the order of their marks."""

    state: RunsState
    selected: int = 0
    marked: tuple[str, ...] = ()
    now: float = 0.0

    @property
    def row(self) -> RunRow | None:
        return self.state.rows[self.selected] if self.selected < len(self.state.rows) else None

    @property
    def drawn(self) -> tuple[str, ...]:
        """The runs whose curves are drawn: the marked ones, else the selected one."""
        return self.marked or ((self.row.name,) if self.row else ())

    @property
    def compared(self) -> tuple[str, str] | None:
        """The two runs whose configurations can be held against each other."""
        if len(self.marked) == 2:
            return self.marked[0], self.marked[1]
        if len(self.marked) == 1 and self.row and self.row.name != self.marked[0]:
            return self.marked[0], self.row.name
        return None
