"""The start screen: three lines a newcomer can act on, and this machine in one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message

from cockpit.actions import GO, START_ACTIONS, Action, flight
from cockpit.screens.base import CockpitScreen
from cockpit.screens.open_config import OpenConfig, known_configs
from cockpit.widgets.glyphs import Glyphs
from cockpit.widgets.keys import KeyBar
from cockpit.widgets.lines import Frame
from cockpit.widgets.lines_view import LinesView
from engine.runs.layout import RunPaths, expanded

Launch = Callable[[], RunPaths]


@dataclass(frozen=True, slots=True)
class Offers:
    """What the start screen can do, and its line about this machine."""

    start_demo: Launch
    start_config: Callable[[Path], RunPaths]
    machine: Callable[[], str]


class Started(Message):
    """A run was started."""

    def __init__(self, paths: RunPaths) -> None:
        super().__init__()
        self.paths = paths


class Failed(Message):
    """A run could not be started."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class Start(CockpitScreen):
    """Shown where there is no run yet."""

    ACTIONS: ClassVar[tuple[Action[Any], ...]] = START_ACTIONS

    def __init__(self, offers: Offers, glyphs: Glyphs) -> None:
        super().__init__(glyphs)
        self._offers = offers
        self._busy = False
        self._refused = ""

    def compose(self) -> ComposeResult:
        with Container(id="start"):
            yield LinesView(start_lines(""), id="offers")
        yield KeyBar(self.glyphs, id="keys")

    def on_mount(self) -> None:
        self.show_keys()
        self.call_after_refresh(self._show_machine)

    def _show_machine(self) -> None:
        self.query_one("#offers", LinesView).show(start_lines(self._offers.machine()))

    def carry_out(self, action: Action[Any]) -> None:
        if action is flight.DEMO:
            self.start_engine(action, None, lambda: self._begin(self._offers.start_demo, "starting the demo"))
        else:
            from engine.config import CONFIGS

            self.app.push_screen(OpenConfig(known_configs(CONFIGS), self._refused), self._open)

    def _open(self, path: str | None) -> None:
        if path:
            self._refused = path  # until it has begun
            self.start_engine(
                flight.OPEN,
                None,
                lambda: self._begin(lambda: self._offers.start_config(expanded(path)), f"starting {path}"),
            )

    def _begin(self, launch: Launch, what: str) -> None:
        if self._busy:
            self.app.notify("already starting a run", severity="warning")
            return
        self._busy = True
        self.app.notify(what, markup=False, timeout=3)
        self._launch(launch)

    @work(thread=True, exit_on_error=False)
    def _launch(self, launch: Launch) -> None:
        try:
            self.post_message(Started(launch()))
        except Exception as error:  # a refusal is shown on the screen that asked
            self.post_message(Failed(str(error) or type(error).__name__))

    @on(Started)
    def _started(self, message: Started) -> None:
        self._busy = False

    @on(Failed)
    def _failed(self, message: Failed) -> None:
        self._busy = False
        self.app.notify(message.reason, severity="error", timeout=10, markup=False)


def start_lines(machine: str) -> Frame:
    """The offers, then the machine."""
    demo, config = (f"  {action.key_name}  " for action in (flight.DEMO, flight.OPEN))
    check = f"  {GO['setup'].key_name}  "
    return [
        [("cxr-cockpit", "strong")],
        [],
        [(demo, "key"), ("fly the demo        ", "text"), ("about 10 minutes, nothing needed", "dim")],
        [(check, "key"), ("check this machine  ", "text"), ("what is wrong, why, what fixes it", "dim")],
        [(config, "key"), ("open a config       ", "text"), ("train on your own data", "dim")],
        [],
        [(machine, "dim")],
    ]
