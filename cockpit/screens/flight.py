"""The Flight screen: is it well, how far is it, what did it last write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.events import Resize, ScreenResume, ScreenSuspend
from textual.screen import Screen

from cockpit import actions
from cockpit.actions import FLIGHT_ACTIONS, Action
from cockpit.screens.confirm import Confirm
from cockpit.screens.feed import Answered, Feed, Source, StateArrived, Trouble
from cockpit.screens.flight_state import FlightState
from cockpit.screens.help import Help
from cockpit.widgets.events import events_frame
from cockpit.widgets.gauges import gauges_frame, memory_line_frame
from cockpit.widgets.glyphs import Glyphs
from cockpit.widgets.header import header_frame
from cockpit.widgets.keys import KeyBar
from cockpit.widgets.loss_chart import ChartData, LossChart
from cockpit.widgets.notice import Notice
from cockpit.widgets.panel import Panel
from cockpit.widgets.report import report_frame
from cockpit.widgets.route import route_frame

SMALLEST = (60, 20)
"""Columns and rows below which only a line says that the terminal is too small."""


class Flight(Screen[None]):
    """Shows one run and passes keys on to its engine."""

    ACTIONS = FLIGHT_ACTIONS
    BINDINGS: ClassVar[list[BindingType]] = [action.binding() for action in FLIGHT_ACTIONS]

    def __init__(
        self, run: str, open_source: Callable[[], Source], glyphs: Glyphs, poll_seconds: float
    ) -> None:
        super().__init__()
        self._run = run
        self._glyphs = glyphs
        self._feed = Feed(open_source, self.post_message, poll_seconds)
        self.state: FlightState | None = None
        self._trouble = ""
        self._case_shown = 0
        self._pending = ""

    def compose(self) -> ComposeResult:
        yield Panel(header_frame, self._glyphs, id="header")
        yield Panel(route_frame, self._glyphs, id="route")
        with Horizontal(id="middle"):
            yield LossChart(self._glyphs, id="chart")
            yield Panel(gauges_frame, self._glyphs, id="gauges")
        yield Panel(memory_line_frame, self._glyphs, id="memory")
        yield Panel(report_frame, self._glyphs, id="report")
        yield Panel(events_frame, self._glyphs, id="events")
        yield KeyBar(self._glyphs, id="keys")
        yield Notice(id="small")

    def on_mount(self) -> None:
        self.query_one("#small", Notice).say("the terminal is too small: 60 x 20 is the least")
        self._feed.start()

    def on_unmount(self) -> None:
        self._feed.close()

    @on(ScreenSuspend)
    def _hidden(self) -> None:
        self._feed.hide()

    @on(ScreenResume)
    def _seen(self) -> None:
        self._feed.show()

    @on(Resize)
    def _fit(self, event: Resize) -> None:
        columns, rows = SMALLEST
        self.set_class(event.size.width < columns or event.size.height < rows, "-tiny")

    @on(StateArrived)
    def _arrived(self, message: StateArrived) -> None:
        self.state = message.state
        self._show_state()

    def _show_state(self) -> None:
        known = self.state or FlightState(self._run, "unread")
        state = replace(known, case_shown=self._case_shown, pending=self._pending, trouble=self._trouble)
        route = self.query_one("#route", Panel)
        with self.app.batch_update():
            route.styles.height = max(1, len(state.stages))
            for panel in self.query(Panel):
                panel.show(state)
            self.query_one(LossChart).show(ChartData(state.curves, waiting(state, self._glyphs)))
            self._show_keys()

    @on(Answered)
    def _answered(self, message: Answered) -> None:
        self._pending = ""
        self._show_state()
        self.app.notify(
            message.text, severity="information" if message.ok else "error", timeout=4, markup=False
        )

    @on(Trouble)
    def _troubled(self, message: Trouble) -> None:
        self._trouble = message.text
        self._show_state()

    def action_take(self, id: str) -> None:
        """Carry out an action of the registry, or say why it cannot be."""
        action = actions.by_id(id)
        reason = action.reason(self.state)
        if reason:
            self.app.notify(reason, severity="warning", markup=False)
        else:
            self._carry_out(action)

    def _carry_out(self, action: Action) -> None:
        holding = self.state is not None and self.state.state == "holding"
        if action is actions.HOLD or (action is actions.RESUME and holding):
            self._ask("continue" if holding else "hold")
        elif action is actions.RESUME:
            self._pending = "starting an engine"
            self._feed.launch()
            self._show_state()
        elif action is actions.ZOOM:
            self.toggle_class("-zoom")
        elif action in (actions.SMOOTHER, actions.ROUGHER):
            self._change_smoothing(1 if action is actions.SMOOTHER else -1)
        elif action is actions.NEXT_CASE:
            self._case_shown += 1
            self._show_state()
        elif action is actions.HELP:
            self.app.push_screen(Help(FLIGHT_ACTIONS, self.state, self._glyphs))
        elif action is actions.LEAVE:
            self.app.exit()
        elif action.dangerous:
            self.app.push_screen(Confirm(action), lambda yes: self._ask(action.verb) if yes else None)
        else:
            self._ask(action.verb)

    def _ask(self, verb: str) -> None:
        self._pending = f"{verb} asked, the engine takes it at its next step"
        self._feed.ask(verb)
        self._show_state()

    def _change_smoothing(self, by: int) -> None:
        if not self.query_one(LossChart).change_smoothing(by):
            self.app.notify(
                "no smoother than this" if by > 0 else "this is the raw curve", severity="warning"
            )

    def _show_keys(self) -> None:
        self.query_one(KeyBar).show(actions.keys_that_work(FLIGHT_ACTIONS, self.state))


def waiting(state: FlightState, glyphs: Glyphs) -> str:
    """What the empty chart says: what is under way before the first step."""
    return f"{glyphs.state(state.state)}   {state.note}".rstrip()
