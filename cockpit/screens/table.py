"""The screens about a run, each made when it is first gone to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from cockpit.screens.flight.screen import Flight
from engine.runs.layout import RunPaths

if TYPE_CHECKING:
    from cockpit.app import CockpitApp


def build_screen(app: CockpitApp, name: str, paths: RunPaths) -> Screen[Any]:
    """The screen of that name about a run; all but Flight are imported when they are first gone to."""
    beat = app.poll_seconds
    if name == "samples":
        from cockpit.screens.samples.screen import Samples

        return Samples(paths.name, lambda: app.sources.samples(paths), app.glyphs, beat)
    if name == "data":
        from cockpit.screens.data.screen import Data

        return Data(paths.name, lambda: app.sources.data(paths), app.glyphs, beat)
    if name == "runs":
        from cockpit.screens.runs.screen import Runs

        return Runs(paths, lambda: app.sources.runs(paths), app.glyphs, beat, choice=app.runs_choice)
    if name == "log":
        from cockpit.screens.log.screen import Log

        return Log(paths.name, lambda: app.sources.log(paths), app.glyphs, beat)
    return Flight(
        paths.name, lambda: app.sources.flight(paths), app.glyphs, beat, paths.root, app.chart_choice
    )
