"""What a screen may ask of the app that shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from textual.message import Message
from textual.signal import Signal

from cockpit.actions.action import Action
from cockpit.alerts.alert import Alert
from cockpit.toolkit.glyphs import Glyphs
from cockpit.views.setup_state import SetupState
from engine.runs.layout import RunPaths


class Host(Protocol):
    """The app, as its screens know it; each gets it as `CockpitScreen.host`."""

    glyphs: Glyphs
    poll_seconds: float

    ways: Mapping[str, Action[object]]
    """The way to every screen, by its name."""

    alerts: tuple[Alert, ...]
    """Those of the open run, oldest first."""
    alerts_changed: Signal[tuple[Alert, ...]]

    setup: SetupState
    setup_changed: Signal[SetupState]

    def action_show_screen(self, name: str) -> None:
        """Go to another screen."""
        ...

    def go_home(self) -> None:
        """To Flight, or to the start screen while there is no run."""
        ...

    def show_alerts(self) -> None:
        """The list of alerts over the screen."""
        ...

    def run_replaced(self, old: RunPaths, new: RunPaths | None) -> None:
        """A run was renamed or, without a new name, deleted; the open one is followed or left."""
        ...

    def in_the_way(self, run: str | None) -> list[str]:
        """What the setup check found that a start of that run (or of a new one) would meet."""
        ...

    def copy_text(self, text: str) -> None:
        """Copy it, and say what became of it."""
        ...

    def nowhere(self, why: str) -> None:
        """Take the words that are about to be typed, for which there is no use."""
        ...

    def between_boxes(self, do: Callable[[], object]) -> None:
        """Do it once no box lies over the screen."""
        ...


class ShowRun(Message):
    """The app is to show this run, once no box lies over the screen."""

    def __init__(self, paths: RunPaths) -> None:
        super().__init__()
        self.paths = paths
