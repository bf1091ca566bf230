"""The start screen: three lines a newcomer can act on, and this machine in one."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message

from cockpit.actions.action import Action
from cockpit.screens.shared.base import CockpitScreen
from cockpit.screens.shared.host import ShowRun
from cockpit.screens.start.actions import DEMO, OPEN, START_ACTIONS
from cockpit.screens.start.offers import Launch, Offers
from cockpit.screens.start.open_config import OpenConfig, known_configs
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.key_bar import KeyBar
from cockpit.toolkit.lines import Frame
from cockpit.toolkit.panels import LinesView
from engine.paths import expanded


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
            yield LinesView(start_lines("", self._setup_key), id="offers")
        yield KeyBar(self.glyphs, id="keys")

    def on_mount(self) -> None:
        self.show_keys()
        self.call_after_refresh(self._show_machine)

    @property
    def _setup_key(self) -> str:
        return self.host.ways["setup"].key_name

    def _show_machine(self) -> None:
        self.query_one("#offers", LinesView).show(start_lines(self._offers.machine(), self._setup_key))

    def carry_out(self, action: Action[Any]) -> None:
        if action is DEMO:
            self.start_engine(action, None, lambda: self._begin(self._offers.start_demo, "starting the demo"))
        else:
            from engine.config import CONFIGS

            self.app.push_screen(OpenConfig(known_configs(CONFIGS), self._refused), self._open)

    def _open(self, path: str | None) -> None:
        if path:
            self._refused = path  # until it has begun
            self.start_engine(
                OPEN,
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
            self.post_message(ShowRun(launch()))
        except Exception as error:  # a refusal is shown on the screen that asked
            self.post_message(Failed(str(error) or type(error).__name__))

    @on(ShowRun)
    def _started(self, message: ShowRun) -> None:
        self._busy = False

    @on(Failed)
    def _failed(self, message: Failed) -> None:
        self._busy = False
        self.app.notify(message.reason, severity="error", timeout=10, markup=False)


def start_lines(machine: str, setup_key: str) -> Frame:
    """The offers, then the machine."""
    demo, config = (f"  {action.key_name}  " for action in (DEMO, OPEN))
    check = f"  {setup_key}  "
    return [
        [("cxr-cockpit", "strong")],
        [],
        [(demo, "key"), ("fly the demo        ", "text"), ("about 10 minutes, nothing needed", "dim")],
        [(check, "key"), ("check this machine  ", "text"), ("what is wrong, why, what fixes it", "dim")],
        [(config, "key"), ("open a config       ", "text"), ("train on your own data", "dim")],
        [],
        [(machine, "dim")],
    ]
