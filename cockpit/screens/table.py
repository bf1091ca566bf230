"""The table of screens: from it follow their keys, footer, help and palette, and what the app reads for them.

A screen's own module is imported when it is first gone to; its actions are known from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from textual.screen import Screen

from cockpit.actions.action import Action
from cockpit.actions.common import LOG_KEY
from cockpit.alerts.actions import ALERT_ACTIONS
from cockpit.screens.data.actions import DATA_ACTIONS
from cockpit.screens.flight.actions import FLIGHT_ACTIONS
from cockpit.screens.log.actions import LOG_ACTIONS
from cockpit.screens.runs.actions import RUNS_ACTIONS
from cockpit.screens.runs.state import RunsChoice
from cockpit.screens.samples.actions import SAMPLES_ACTIONS
from cockpit.screens.setup.actions import SETUP_ACTIONS
from cockpit.screens.setup.checker import Checker
from cockpit.screens.shared.host import Host
from cockpit.screens.start.actions import START_ACTIONS
from cockpit.views.metrics import ChartChoice
from engine.runs.layout import RunPaths


class App(Host, Protocol):
    """The app, as those know it who build its screens: with what outlives a screen."""

    checker: Checker
    chart_choice: ChartChoice
    runs_choice: RunsChoice


OpenSource = Callable[[RunPaths], Any]
"""Opens what a screen reads of a run, on the thread of the screen."""


@dataclass(frozen=True, slots=True)
class ScreenEntry:
    """A screen, and the key that leads to it from every other one.

    `open_source(runs, pictures, paths)` opens what it reads of the run `paths`, where the other runs lie in `runs`;
    `pictures` is whether films are shown. `build(app, paths, open_source)` makes the screen about a run, anew for
    every run that is opened. A screen that is not about a run has `build_once` instead, and lives as long as the app.
    """

    name: str
    key: str
    title: str
    help: str
    actions: tuple[Action[Any], ...]
    build: Callable[[App, RunPaths, Callable[[], Any]], Screen[Any]] | None = None
    open_source: Callable[[Path, bool, RunPaths], Any] | None = None
    build_once: Callable[[App], Screen[Any]] | None = None

    @property
    def way(self) -> Action[object]:
        """The key that leads to it."""
        return Action(f"go.{self.name}", self.key, self.title, self.help, 7)


def _flight(app: App, paths: RunPaths, open_source: Callable[[], Any]) -> Screen[Any]:
    from cockpit.screens.flight.screen import Flight

    return Flight(paths.name, open_source, app.glyphs, app.poll_seconds, paths.root, app.chart_choice)


def _flight_source(runs: Path, pictures: bool, paths: RunPaths) -> Any:
    from cockpit.screens.flight.source import RunSource

    return RunSource(paths, pictures)


def _samples(app: App, paths: RunPaths, open_source: Callable[[], Any]) -> Screen[Any]:
    from cockpit.screens.samples.screen import Samples

    return Samples(paths.name, open_source, app.glyphs, app.poll_seconds)


def _samples_source(runs: Path, pictures: bool, paths: RunPaths) -> Any:
    from cockpit.screens.samples.source import SamplesSource

    return SamplesSource(paths, pictures)


def _setup(app: App) -> Screen[Any]:
    from cockpit.screens.setup.screen import Setup

    return Setup(app.checker, app.setup_changed, app.setup, app.glyphs, app.poll_seconds)


def _data(app: App, paths: RunPaths, open_source: Callable[[], Any]) -> Screen[Any]:
    from cockpit.screens.data.screen import Data

    return Data(paths.name, open_source, app.glyphs, app.poll_seconds)


def _data_source(runs: Path, pictures: bool, paths: RunPaths) -> Any:
    from cockpit.screens.data.source import DataSource

    return DataSource(paths, pictures)


def _runs(app: App, paths: RunPaths, open_source: Callable[[], Any]) -> Screen[Any]:
    from cockpit.screens.runs.screen import Runs

    return Runs(paths, open_source, app.glyphs, app.poll_seconds, choice=app.runs_choice)


def _runs_source(runs: Path, pictures: bool, paths: RunPaths) -> Any:
    from cockpit.screens.runs.source import RunsSource

    return RunsSource(runs, paths)


def _alerts_watch(paths: RunPaths) -> Any:
    from cockpit.alerts.watch import AlertWatch

    return AlertWatch(paths)


def _log(app: App, paths: RunPaths, open_source: Callable[[], Any]) -> Screen[Any]:
    from cockpit.screens.log.screen import Log

    return Log(paths.name, open_source, app.glyphs, app.poll_seconds)


def _log_source(runs: Path, pictures: bool, paths: RunPaths) -> Any:
    from cockpit.screens.log.source import LogSource

    return LogSource(paths)


SCREENS: tuple[ScreenEntry, ...] = (
    ScreenEntry(
        "flight",
        "1",
        "Flight",
        "Is it well, how far is it, what did it last write.",
        FLIGHT_ACTIONS,
        _flight,
        _flight_source,
    ),
    ScreenEntry(
        "samples",
        "2",
        "Samples",
        "What the model wrote beside the reference.",
        SAMPLES_ACTIONS,
        _samples,
        _samples_source,
    ),
    ScreenEntry(
        "setup",
        "3",
        "Setup",
        "What is wrong with this machine, and what fixes it.",
        SETUP_ACTIONS,
        build_once=_setup,
    ),
    ScreenEntry(
        "data",
        "4",
        "Data",
        "What the run learns from, as the model reads it.",
        DATA_ACTIONS,
        _data,
        _data_source,
    ),
    ScreenEntry(
        "runs", "5", "Runs", "All runs, and their curves over each other.", RUNS_ACTIONS, _runs, _runs_source
    ),
    ScreenEntry(
        "log", LOG_KEY, "Log", "training.log, and what went wrong in it.", LOG_ACTIONS, _log, _log_source
    ),
)


def ways_to(screens: Sequence[ScreenEntry] = SCREENS) -> dict[str, Action[object]]:
    """The key to every screen, by the screen's name."""
    return {entry.name: entry.way for entry in screens}


def action_groups(screens: Sequence[ScreenEntry] = SCREENS) -> dict[str, tuple[Action[Any], ...]]:
    """The actions of the start screen, of every other screen, and of the list of alerts, each as in its footer."""
    return {
        "start": START_ACTIONS,
        **{entry.name: entry.actions for entry in screens},
        "alerts": ALERT_ACTIONS,
    }


def sources_on(
    runs: Path, pictures: bool = True, screens: Sequence[ScreenEntry] = SCREENS
) -> Mapping[str, OpenSource]:
    """What the screens and the list of alerts read from, by their names; the runs lie in `runs`."""
    opened = {
        entry.name: partial(entry.open_source, runs, pictures)
        for entry in screens
        if entry.open_source is not None
    }
    return {**opened, "alerts": _alerts_watch}
