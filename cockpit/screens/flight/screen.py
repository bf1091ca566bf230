"""The Flight screen: is it well, how far is it, what did it last write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, cast

from textual import on
from textual.containers import Horizontal, Vertical
from textual.events import Resize
from textual.widget import Widget

from cockpit.actions.action import Action, keys_that_work
from cockpit.actions.common import BACK, HELP, LEAVE
from cockpit.screens.flight import actions as flight
from cockpit.screens.flight.actions import FLIGHT_ACTIONS
from cockpit.screens.flight.aftermath_panel import aftermath_frame
from cockpit.screens.flight.command_child import CommandEnded, run_command
from cockpit.screens.flight.events import events_frame
from cockpit.screens.flight.feed import Feed, Source
from cockpit.screens.flight.gauges import gauges_frame, memory_line_frame
from cockpit.screens.flight.loss_chart import ChartData, LossChart
from cockpit.screens.flight.report import report_frame
from cockpit.screens.flight.route import route_frame
from cockpit.screens.flight.state import FlightState, Zoomed
from cockpit.screens.flight.trends import trends_frame
from cockpit.screens.flight.zoom_chart import ZoomChart, newest
from cockpit.screens.shared.base import RunScreen
from cockpit.screens.shared.run_header import RunHeader
from cockpit.toolkit.charts.curves import SMOOTHINGS, StageCurve
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.key_bar import KeyBar
from cockpit.toolkit.lines import Frame, clean, cut, in_role
from cockpit.toolkit.modals.confirm import Confirm
from cockpit.toolkit.modals.prompt import Prompt
from cockpit.toolkit.modals.reading import Reading
from cockpit.toolkit.panels import Panel
from cockpit.views.header import header_of
from cockpit.views.metrics import LOSS, ChartChoice
from engine.paths import expanded

SCREENS_RANK = 7
"""In the footer, where the number keys of the other screens stand last."""


AROUND_AFTERMATH = 18
"""Rows that are better used otherwise than for it: everything else, and a low chart."""


class Flight(RunScreen[Source]):
    """Shows one run and passes keys on to its engine."""

    ACTIONS: ClassVar[tuple[Action[Any], ...]] = FLIGHT_ACTIONS

    def __init__(
        self,
        run: str,
        open_source: Callable[[], Source],
        glyphs: Glyphs,
        poll_seconds: float,
        root: Path | None = None,
        choice: ChartChoice | None = None,
    ) -> None:
        """`root` is the run's directory, for commands about it; `choice` what was chosen on such a screen before."""
        super().__init__(open_source, glyphs, poll_seconds)
        self._run = run
        self._root = root or Path(run)
        self._command = ""
        self._choice = choice or ChartChoice()
        self.state: FlightState | None = None
        self._case_shown = 0
        self._pending = ""
        self._smoothing = SMOOTHINGS.index(0.9)

    def make_background(self, open_source: Callable[[], Source], poll_seconds: float) -> Feed:
        return Feed(open_source, self.post_message, poll_seconds)

    @property
    def feed(self) -> Feed:
        return cast(Feed, self.background)

    def body(self) -> Iterable[Widget]:
        yield RunHeader(header_of("flight", self.host.ways), self.glyphs, id="header")
        yield Panel(route_frame, self.glyphs, id="route")
        yield Panel(aftermath_frame, self.glyphs, id="aftermath")
        yield Horizontal(
            LossChart(self.glyphs, id="chart"),
            Vertical(
                Panel(gauges_frame, self.glyphs, id="gauges"),
                Panel(trends_frame, self.glyphs, id="trends"),
                id="side",
            ),
            id="middle",
        )
        yield ZoomChart(self.glyphs, id="zoomed")
        yield Panel(memory_line_frame, self.glyphs, id="memory")
        yield Panel(report_frame, self.glyphs, id="report")
        yield Panel(events_frame, self.glyphs, id="events")

    @property
    def zoomed(self) -> bool:
        """Whether the chart has the whole screen."""
        return self.has_class("-zoom")

    @property
    def smoothing(self) -> float:
        return SMOOTHINGS[self._smoothing]

    @property
    def arrows_move(self) -> bool:
        return self.zoomed

    def legend(self) -> Frame:
        """What the marks on the route mean; nothing before there is one."""
        if self.state is None:
            return []
        return [
            [
                ("On the route   ", "strong"),
                (self.glyphs.checkpoint, "strong"),
                (" checkpoint on disk   ", "dim"),
                (self.glyphs.validation, "accent"),
                (" validation   ", "dim"),
                (self.glyphs.epoch, "text"),
                (" epoch", "dim"),
            ]
        ]

    def known(self) -> FlightState | None:
        return replace(self.state, zoom_open=self.zoomed) if self.state else None

    def arrived(self, state: Any) -> None:
        before = self.state.curves if self.state else ()
        self.state = state
        if steps_of(state.curves) != steps_of(before):
            self._want()  # another series may have been chosen before this run was opened

    def draw(self) -> None:
        known = self.state or FlightState(self._run, "unread")
        state = replace(
            known,
            case_shown=self._case_shown,
            pending=self._pending or self._command,
            trouble=self.trouble,
            alerts=self.alert_count,
        )
        self.query_one("#route", Panel).styles.height = max(1, len(state.stages))
        self._make_room(state)
        for panel in self.query(Panel):
            panel.show(state)
        choice = self._choice
        part = part_of(state, choice.metric.tag)
        if self.zoomed:
            chart = self.query_one(ZoomChart)
            chart.show(part, state.curves, self.smoothing, choice.metric, choice.log)
        else:
            shown = state.curves if choice.metric == LOSS else part.curves
            data = ChartData(shown, waiting(state, self.glyphs), self.smoothing, choice.metric, choice.log)
            self.query_one(LossChart).show(data)

    def _make_room(self, state: FlightState) -> None:
        """For what an engine that ended badly has left; a chart stays in any case."""
        width, height = self.size
        lines = aftermath_frame(state, width, max(4, height - AROUND_AFTERMATH), self.glyphs)
        self.set_class(bool(lines), "-aftermath")
        self.query_one("#aftermath", Panel).styles.height = max(1, len(lines))

    @on(Resize)
    def _resized(self) -> None:
        self.call_after_refresh(self._draw)
        self.call_after_refresh(self._want)

    def answered(self, ok: bool) -> None:
        self._pending = ""

    def offered(self) -> Sequence[Action[Any]]:
        if self.zoomed:
            smooth = (flight.SMOOTHER, flight.ROUGHER)
            return [*flight.CHART_ACTIONS, *flight.CHOICES, *smooth, flight.HOLD, HELP, LEAVE]
        return [one for one in super().offered() if one is not BACK and one not in flight.CHART_ACTIONS]

    def back_out(self) -> bool:
        if self.zoomed:
            self._zoom()
        else:
            self.say(f"nothing is open here; {LEAVE.key_name} leaves, the engine keeps training")
        return True

    def show_keys(self) -> None:
        others = " ".join(go.key_name for name, go in self.host.ways.items() if name != "flight")
        keys = [*keys_that_work(self.offered(), self.known()), (others, "screens", SCREENS_RANK)]
        if self.zoomed:
            keys.insert(0, (BACK.key_name, "close", 0))
        self.query_one(KeyBar).show(keys)

    def carry_out(self, action: Action[Any]) -> None:
        holding = self.state is not None and self.state.state == "holding"
        if action is flight.HOLD or (action is flight.RESUME and holding):
            self._ask("continue" if holding else "hold")
        elif action is flight.RESUME:
            self.start_engine(action, self._run, self._launch)
        elif action is flight.ZOOM:
            self._zoom()
        elif action in flight.CHOICES:
            self._choose(action)
        elif action in flight.CHART_ACTIONS:
            self._look(action)
        elif action in (flight.SMOOTHER, flight.ROUGHER):
            self._change_smoothing(1 if action is flight.SMOOTHER else -1)
        elif action is flight.EVALUATE:
            self._send("evaluation", "evaluate", str(self._root))
        elif action is flight.REPORT:
            self.app.push_screen(Prompt("Image of a chest", does="reports", refuse=_no_file), self._report_on)
        elif action is flight.EXPORT:
            preset = f"{clean(self._run)}-model"
            self.app.push_screen(
                Prompt("Export to a new directory", preset, "exports", refuse=_is_there), self._export_to
            )
        elif action is flight.NEXT_CASE:
            self._case_shown += 1
            self._draw()
        elif action.dangerous and self.state is not None:
            self._ask_first(action, self.state)
        else:
            self._ask(action.verb)

    def _report_on(self, image: str | None) -> None:
        if image:
            self._send("report", "report", "--run", str(self._root), "--", str(expanded(image)))

    def _export_to(self, place: str | None) -> None:
        if place:
            self._send("export", "export", str(self._root), f"--to={expanded(place)}")

    def _send(self, title: str, *words: str) -> None:
        """Have the command line do it; one thing at a time."""
        if self._command:
            self.say(self._command)
            return
        self._command = f"{title} under way, what comes of it is shown here"
        run_command(title, words, self.post_message)
        self._draw()

    @on(CommandEnded)
    def _command_ended(self, message: CommandEnded) -> None:
        self._command = ""
        self._draw()
        lines = message.text.strip().splitlines()
        if not message.well:
            said = lines[-1] if lines else "it ended without a word"
            self.app.notify(clean(f"{message.title}: {said}"), severity="error", timeout=10, markup=False)
            return

        def shown(width: int) -> Frame:
            return in_role(
                [f" {cut(clean(line), width - 2, self.glyphs.ellipsis)}" for line in lines], "text"
            )

        title = f"{message.title} of {clean(self._run)}"
        self.host.between_boxes(lambda: self.app.push_screen(Reading(title, shown, self.glyphs)))

    def _ask_first(self, action: Action[Any], asked_of: FlightState) -> None:
        """Ask the engine after a yes, if by then the run still is where the question was about."""
        stage = asked_of.stage_now

        def answered(yes: bool | None) -> None:
            now = self.state.stage_now if self.state else None
            if not yes:
                return
            if stage and now and stage.stage != now.stage:
                self.say(
                    f"nothing is asked of the engine: the stage ended before the answer, {now.stage} runs"
                )
            else:
                self._ask_if_it_can_be(action)

        self.app.push_screen(Confirm(action, flight.question_of(action, asked_of)), answered)

    def _ask_if_it_can_be(self, action: Action[Any]) -> None:
        """Ask the engine, unless there is a reason against it by now."""
        reason = action.reason(self.known())
        if reason:
            self.say(reason)
        else:
            self._ask(action.verb)

    def _launch(self) -> None:
        self._pending = "starting an engine"
        self.feed.launch()
        self._draw()

    def _ask(self, verb: str) -> None:
        self._pending = f"{verb} asked, the engine takes it at its next step"
        self.feed.ask(verb)
        self._draw()

    def _zoom(self) -> None:
        """Open or close the full-screen chart."""
        self.toggle_class("-zoom")
        if self.zoomed and self.state:
            self.query_one(ZoomChart).begin(self.state.curves)
        self.call_after_refresh(self._want)  # the size of the chart is known then
        self._draw()

    def _look(self, action: Action[Any]) -> None:
        """Move the full-screen chart at once; what it lacks is read meanwhile."""
        chart = self.query_one(ZoomChart)
        state = self.state
        if state is None:
            return
        chart.move(action.id.removeprefix("chart."), newest(state.curves))
        self._want()

    def _choose(self, action: Action[Any]) -> None:
        """Another series, or another scale, in the chart that is open; it stays in the other one, too."""
        if action is flight.SCALE:
            self._choice.log = not self._choice.log
        elif self.state is not None:
            self._choice.next_metric([LOSS, *(trend.metric for trend in self.state.trends)])
        self._draw()
        self._want()

    def _want(self) -> None:
        """Have read what the chart shows and is not read anyway."""
        metric = self._choice.metric
        if self.zoomed:
            self.feed.look_at(self.query_one(ZoomChart).wanted())
        elif metric == LOSS or self.state is None:
            self.feed.look_at(None)
        else:
            steps = max(1, steps_of(self.state.curves))
            self.feed.look_at(self.query_one(LossChart).wanted(metric, steps))

    def _change_smoothing(self, by: int) -> None:
        wanted = self._smoothing + by
        if 0 <= wanted < len(SMOOTHINGS):
            self._smoothing = wanted
            self._draw()
        else:
            self.say("no smoother than this" if by > 0 else "this is the raw curve")


def _no_file(text: str) -> str:
    return "" if expanded(text).is_file() else f"no file {clean(text)}"


def _is_there(text: str) -> str:
    return f"{clean(text)} is there already: name a new directory" if expanded(text).exists() else ""


def part_of(state: FlightState, tag: str) -> Zoomed:
    """What was read of a series for the full-screen chart, else what is known of it coarsely."""
    if state.zoomed is not None and state.zoomed.tag == tag:
        return state.zoomed
    coarse = {trend.metric.tag: trend.curves for trend in state.trends} | {LOSS.tag: state.curves}
    return Zoomed(tag, coarse.get(tag, ()))


def steps_of(stages: Sequence[StageCurve]) -> int:
    """All steps of the route."""
    return sum(stage.steps for stage in stages)


def waiting(state: FlightState, glyphs: Glyphs) -> str:
    """What the empty chart says: what is under way before the first step."""
    return f"{glyphs.state(state.state)}   {state.note}".rstrip()
