"""The terminal app: opens a run, or the start screen, and leaves the engine alone when it goes.

Nothing that training depends on lives here. The app may be closed, killed or cut off at any moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.console import RenderableType
from textual import on
from textual.app import SystemCommand
from textual.message import Message
from textual.screen import Screen
from textual.signal import Signal
from textual.theme import ThemeProvider

from cockpit.actions.action import Action
from cockpit.actions.keymap import keymap_path, read_keymap
from cockpit.actions.keys import key_word, move_keys
from cockpit.alerts.alert import Alert
from cockpit.alerts.alert_list import AlertList
from cockpit.alerts.bell import ringing
from cockpit.alerts.keeper import AlertKeeper, AlertsArrived
from cockpit.crash import crash_note
from cockpit.input_handling import InputHandlingApp
from cockpit.run_title import TitleArrived, TitleWatch
from cockpit.screens.runs.state import RunsChoice
from cockpit.screens.setup.checker import Checker, MakeCheck, SetupChanged, checks_on
from cockpit.screens.shared.base import CockpitScreen
from cockpit.screens.shared.host import ShowRun
from cockpit.screens.start.actions import DEMO
from cockpit.screens.start.offers import Offers, offers_on
from cockpit.screens.start.screen import Start
from cockpit.screens.table import SCREENS, OpenSource, ScreenEntry, action_groups, sources_on, ways_to
from cockpit.terminal.clipboard import Copied, copy
from cockpit.terminal.graphics import Graphics, choose_graphics, forget_late_answers
from cockpit.terminal.signals import leave_on_signals
from cockpit.terminal.streams import is_terminal, writes_unicode
from cockpit.terminal.title import KEEP, PUT_BACK, has_title, setting, title_kept
from cockpit.textual_internals import forgive_bytes, let_go_of_lines
from cockpit.toolkit.background import POLL_SECONDS, Arrived, Background
from cockpit.toolkit.glyphs import ASCII, UNICODE, Glyphs
from cockpit.toolkit.graphics.pictures import Pictures
from cockpit.toolkit.lines import clean
from cockpit.toolkit.modals.palette import Palette
from cockpit.toolkit.modals.reading import CopyText
from cockpit.toolkit.theme import DARK, LIGHT
from cockpit.views.metrics import ChartChoice
from cockpit.views.setup_state import SetupState
from engine.errors import UserError
from engine.runs.layout import RunPaths, command_line, list_runs
from engine.runs.lock import lock_holder
from engine.runs.trash import empty_trash
from engine.words.nearest import did_you_mean

NOTIFIED = 500
"""Characters of an alert that pass by on the screen; the list of alerts has all of it."""


class CockpitApp(InputHandlingApp):
    """Wires screens, themes and signals together."""

    CSS_PATH = "cockpit.tcss"
    TITLE = "cxr-cockpit"

    def __init__(
        self,
        paths: RunPaths | None,
        sources: Mapping[str, OpenSource],
        offers: Offers,
        glyphs: Glyphs = UNICODE,
        theme: str | None = None,
        poll_seconds: float = POLL_SECONDS,
        make_check: MakeCheck | None = None,
        complaints: Sequence[str] = (),
        titled: bool = False,
        screens: Sequence[ScreenEntry] = SCREENS,
    ) -> None:
        """`sources` are what the screens and the list of alerts read from, by their names. Without `make_check`,
        nothing is checked until somebody asks for it. `complaints` are told at the start.

        `titled`: whether the terminal has a title to be set.
        """
        super().__init__()
        let_go_of_lines()
        # Classes that the style sheet goes by.
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall"), (52, "-towering")]
        self.paths = paths
        self.sources = sources
        self.screens_known = {entry.name: entry for entry in screens}
        self.ways: Mapping[str, Action[object]] = ways_to(screens)
        self.glyphs = glyphs
        self.poll_seconds = poll_seconds
        self.setup = SetupState()
        self.setup_changed: Signal[SetupState] = Signal(self, "setup changed")
        self._make_check = make_check
        self._complaints = complaints
        self._titled = titled
        self._run_title = ""
        self._title_thread: Background[TitleWatch] | None = None
        self.checker = Checker(make_check or checks_on(Path.cwd()), self._tell_setup)
        self._offers = offers
        self.alerts: tuple[Alert, ...] = ()
        self.alerts_changed: Signal[tuple[Alert, ...]] = Signal(self, "alerts changed")
        self._keeper: AlertKeeper | None = None
        self.chart_choice = ChartChoice()
        self.runs_choice = RunsChoice()
        self._opened = 0
        self._opened_modes: list[str] = []
        if "TEXTUAL_ANIMATIONS" not in os.environ:
            self.animation_level = "none"
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.set_class(not glyphs.blocks, "-ascii")
        self.theme = self._known_theme(theme) if theme else DARK.name
        for name, go in self.ways.items():
            self.bind(go.keys, f"show_screen('{name}')", description=go.label)

    def on_mount(self) -> None:
        if not self.is_headless:
            leave_on_signals(self, asyncio.get_running_loop())
        self.checker.start()
        for name, entry in self.screens_known.items():
            if entry.build_once is not None:
                self.add_mode(name, partial(entry.build_once, self))
        if self.paths is None:
            self._open_start()
        else:
            self.open_run(self.paths)
        self.app_suspend_signal.subscribe(self, lambda _app: self._send(PUT_BACK))
        self.app_resume_signal.subscribe(self, lambda _app: self._send(KEEP + setting(self._run_title)))
        for complaint in self._complaints:
            self.notify(clean(complaint), severity="warning", timeout=10, markup=False)

    def pictures(self) -> Pictures | None:
        return self.glyphs.pictures

    def crash_note(self) -> RenderableType:
        return crash_note()

    def search_themes(self) -> None:
        """Textual's own would be a palette that can be left twice."""
        self.push_screen(Palette(providers=[ThemeProvider], placeholder="find colours by their name"))

    def action_command_palette(self) -> None:
        if not self.palette_is_open():
            self.push_screen(Palette(placeholder="find a key by its name", id="--command-palette"))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: the actions of the screen, then the colours."""
        if isinstance(screen, CockpitScreen):
            for action in (*screen.ACTIONS, *self.ways.values()):
                told = f"{key_word(action.keys):<6} {action.help}"
                yield SystemCommand(action.label, told, _once(partial(screen.action_take, action.id)))
        yield SystemCommand("theme", "Choose other colours.", self.action_change_theme)

    @on(ShowRun)
    def _run_chosen(self, message: ShowRun) -> None:
        self._open_soon(message.paths)

    @on(CopyText)
    def _copy_asked(self, message: CopyText) -> None:
        self.copy_text(message.text)

    def _open_soon(self, paths: RunPaths) -> None:
        if len(self.screen_stack) > 1:
            self.notify(f"{clean(paths.name)} opens when this box is closed", markup=False)
        self.between_boxes(lambda: self.open_run(paths))

    @on(AlertsArrived)
    def _alerts_arrived(self, message: AlertsArrived) -> None:
        if message.keeper is not self._keeper:
            return  # of a run that is not open any more
        self.alerts = message.alerts
        self.alerts_changed.publish(message.alerts)
        sound = ringing(message.fresh, self.paths.name if self.paths else "", os.environ)
        if sound:
            self.write_to_terminal(sound)
        for alert in message.fresh:
            self.notify(
                clean(alert.text[:NOTIFIED]), title=alert.kind, severity="warning", timeout=8, markup=False
            )

    def copy_text(self, text: str) -> None:
        """Copy it, and say what became of it; a program that keeps the clipboard may take its time."""

        def told(copied: Copied) -> None:
            self.keep_for_fields(text)
            if copied.by_terminal:
                self.copy_to_clipboard(text)
            severity: Literal["information", "warning"] = (
                "information" if copied.sure or copied.by_terminal else "warning"
            )
            self.notify(copied.words, severity=severity, timeout=6, markup=False)

        def work() -> None:
            self.call_from_thread(told, copy(text, os.environ, sys.platform))

        self.run_worker(work, thread=True, exit_on_error=False)

    @on(TitleArrived)
    def _title_arrived(self, message: TitleArrived) -> None:
        if message.paths == self.paths:
            self._set_title(message.title)

    def _set_title(self, title: str) -> None:
        self._run_title = title
        self._send(setting(title))

    def _send(self, sequence: str) -> None:
        if self._titled:
            self.write_to_terminal(sequence)

    def _follow_title(self, paths: RunPaths | None) -> None:
        """From now on the title is about this run, whatever screen is seen."""
        if self._title_thread is not None:
            self._title_thread.close()
            self._title_thread = None
        if paths is None or not self._titled:
            self._set_title(self.TITLE or "")
            return

        def post(message: Message) -> None:
            if isinstance(message, Arrived):  # what cannot be read, the screens tell
                self.post_message(TitleArrived(paths, str(message.state)))

        self._title_thread = Background(lambda: TitleWatch(paths), post, self.poll_seconds)
        self._title_thread.start()

    def show_alerts(self) -> None:
        """The list of alerts over the screen."""
        keeper = self._keeper
        if keeper is not None:
            shown = AlertList(self.alerts, self.alerts_changed, keeper.acknowledge, self.glyphs)
            self.push_screen(shown)

    def on_unmount(self) -> None:
        self._watch_alerts(None)
        if self._title_thread is not None:
            self._title_thread.close()

    def _watch_alerts(self, paths: RunPaths | None) -> None:
        if self._keeper is not None:
            self._keeper.close()
        self.alerts, self._keeper = (), None
        if paths is not None:
            self._keeper = AlertKeeper(
                lambda: self.sources["alerts"](paths), self.post_message, self.poll_seconds
            )
            self._keeper.start()

    def _tell_setup(self, state: SetupState) -> None:
        self.post_message(SetupChanged(state))

    @on(SetupChanged)
    def _setup_changed(self, message: SetupChanged) -> None:
        self.setup = message.state
        self.setup_changed.publish(message.state)

    def in_the_way(self, run: str | None) -> list[str]:
        """What the setup check found that a start of that run (or of a new one) would meet."""
        same = run is not None and self.paths is not None and run == self.paths.name
        return [one.title for one in self.setup.fails_for(same)]

    def action_show_screen(self, name: str) -> None:
        """Go to another screen about the same run, or to Setup."""
        if len(self.screen_stack) > 1:  # behind a box that asks something
            return
        if self.screens_known[name].build_once is not None:
            self.switch_mode(name)  # it outlives the run that is shown
        elif self.paths is None:
            self.notify(f"there is no run yet: {DEMO.key_name} starts the demo", severity="warning")
        else:
            self.switch_mode(self._mode(name))

    def go_home(self) -> None:
        """To Flight, or to the start screen while there is no run."""
        self.switch_mode(self._mode("flight" if self.paths else "start"))

    def _add_run_screens(self, paths: RunPaths) -> list[str]:
        """Make the screens about a run known; each is built when it is first gone to. Returns their modes."""
        modes = []
        for name, entry in self.screens_known.items():
            if entry.build is not None:
                open_source = partial(self.sources[name], paths)
                modes.append(self._mode(name))
                self.add_mode(modes[-1], partial(entry.build, self, paths, open_source))
        return modes

    def _check_setup(self) -> None:
        """Begin behind the first paint; an earlier check of the same Python is built upon."""
        if self._make_check is not None:
            config = self.paths.config if self.paths else None
            self.call_after_refresh(self.checker.check, config if config and config.exists() else None)

    def open_run(self, paths: RunPaths, screen: str = "flight") -> None:
        """Show a run, on the given screen; the screens of the one shown before are closed."""
        before = self._opened_modes
        self.paths = paths
        self._opened += 1
        self._watch_alerts(paths)
        self._follow_title(paths)
        self._opened_modes = self._add_run_screens(paths)
        self.switch_mode(self._mode(screen))
        for mode in before:
            self.remove_mode(mode)
        self._check_setup()

    def run_replaced(self, old: RunPaths, new: RunPaths | None) -> None:
        """A run was renamed or, without a new name, deleted; the open one is followed or left."""
        if old != self.paths:
            return
        following = new or next(iter(list_runs(old.root.parent)), None)
        if following is not None:
            self.between_boxes(lambda: self.open_run(following, "runs"))
        else:
            self.between_boxes(self._open_start)

    def _open_start(self) -> None:
        before = self._opened_modes
        self.paths = None
        self._opened += 1
        self._watch_alerts(None)
        self._follow_title(None)
        self._opened_modes = [self._mode("start")]
        self.add_mode(self._mode("start"), lambda: Start(self._offers, self.glyphs))
        self.switch_mode(self._mode("start"))
        for mode in before:
            self.remove_mode(mode)
        self._check_setup()

    def _mode(self, name: str) -> str:
        return f"{name}-{self._opened}"

    def _known_theme(self, name: str) -> str:
        wanted = {"dark": DARK.name, "light": LIGHT.name}.get(name, name)
        if wanted not in self.available_themes:
            raise UserError(
                f"no theme {name!r}: {did_you_mean(name, ['dark', 'light', *sorted(self.available_themes)])}"
            )
        return wanted


def _once(do: Callable[[], None]) -> Callable[[], None]:
    """Does it the first time only."""
    left = [do]
    return lambda: left.pop()() if left else None


def run_app(
    paths: RunPaths | None,
    runs: Path,
    images: str = "auto",
    ascii: bool = False,
    mouse: bool = True,
    theme: str | None = None,
    poll_seconds: float = POLL_SECONDS,
) -> int:
    """Open the app on a run, on the newest one in `runs`, or on the start screen; returns the exit code.

    Raises UserError for what the app cannot do: another way of images, an unknown theme, no terminal.
    """
    if not is_terminal():
        watch = command_line("status", "RUN", "--watch", runs=runs)
        raise UserError(f"the app needs a terminal; without one, use `{watch}`")
    move_keys(read_keymap(keymap_path(), action_groups(), list(ways_to().values())))
    ascii = ascii or not writes_unicode()
    graphics = choose_graphics(images, ascii, os.environ)
    newest = next(iter(list_runs(runs)), None)
    places = [runs, paths.root.parent] if paths else [runs]
    app = CockpitApp(
        paths or newest,
        sources_on(runs, graphics.way != "none"),
        offers_on(runs),
        _glyphs(ascii, graphics),
        theme,
        poll_seconds,
        make_check=checks_on(runs),
        complaints=[told for place in dict.fromkeys(places) for told in empty_trash(place)],
        titled=has_title(os.environ),
    )
    forgive_bytes()
    forget_late_answers()
    with title_kept(sys.__stderr__ if has_title(os.environ) else None):
        app.run(mouse=mouse)
    holder = lock_holder(app.paths) if app.paths is not None else None
    if app.paths is not None and holder is not None:
        what = "evaluation" if holder.purpose == "evaluate" else "training"
        with contextlib.suppress(OSError):  # after a hang-up there is nobody to tell
            print(f"{what} continues; come back with: {command_line(runs=app.paths.root.parent)}")
    return app.return_code or 0


def _glyphs(ascii: bool, graphics: Graphics) -> Glyphs:
    glyphs = ASCII if ascii else UNICODE
    return replace(glyphs, pictures=Pictures(graphics)) if graphics.way in ("kitty", "sixel") else glyphs
