"""A screen is one entry of the table: its key, its line in the help, its place in header, footer and palette follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from textual.command import CommandList
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from cockpit.actions.action import Action
from cockpit.actions.common import COMMON
from cockpit.actions.keymap import read_keymap
from cockpit.app import CockpitApp
from cockpit.screens.shared.base import RunScreen
from cockpit.screens.table import SCREENS, App, ScreenEntry, action_groups, sources_on, ways_to
from cockpit.toolkit.modals.palette import Palette
from cockpit.toolkit.panels import LinesView
from engine.runs.layout import RunPaths

COUNT: Action[object] = Action("weather.count", "w", "count clouds", "Says how many there are.", 0)


class Sky:
    """A source that says what it was opened on."""

    def __init__(self, runs: Path, paths: RunPaths) -> None:
        self.words = f"sky over {paths.name} among {runs}"

    def read(self) -> str:
        return self.words

    def close(self) -> None: ...


class Weather(RunScreen[Sky]):
    ACTIONS: ClassVar[tuple[Action[Any], ...]] = (COUNT, *COMMON)
    words = ""

    def body(self) -> Iterable[Widget]:
        yield LinesView([[]])

    def arrived(self, state: Any) -> None:
        self.words = state

    def draw(self) -> None:
        self.query_one(LinesView).show([[(self.words, "text")]])

    def carry_out(self, action: Action[Any]) -> None:
        self.say("seven clouds")


def build(app: App, paths: RunPaths, open_source: Callable[[], Any]) -> Screen[Any]:
    return Weather(open_source, app.glyphs, app.poll_seconds)


WEATHER = ScreenEntry(
    "weather",
    "7",
    "Weather",
    "Whether it rains.",
    Weather.ACTIONS,
    build,
    lambda runs, _pictures, paths: Sky(runs, paths),
)
TABLE = (*SCREENS, WEATHER)


@pytest.fixture
def app(kit: ModuleType) -> CockpitApp:
    source = kit.FakeSource(kit.a_state())
    ours = sources_on(Path("runs"), screens=TABLE)
    offers = kit.Offers(kit.refuse, lambda _path: kit.refuse(), lambda: "")
    return CockpitApp(
        RunPaths(Path("night-run-3")),
        {**ours, "flight": lambda _paths: source, "alerts": lambda _paths: source.watch},
        offers,
        poll_seconds=0.03,
        screens=TABLE,
    )


async def test_its_key_leads_there_and_it_reads_what_its_entry_opens(
    kit: ModuleType, app: CockpitApp
) -> None:
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.press("7")
        await kit.until(pilot, lambda: "sky over night-run-3 among runs" in kit.shown(app))
        assert isinstance(app.screen, Weather)
        assert f"{COUNT.key_name} {COUNT.label}" in kit.shown(app).splitlines()[-1]
        await pilot.press("w")
        await kit.until(pilot, lambda: "seven clouds" in kit.said(app))
        await pilot.press("1")
        await kit.until(pilot, lambda: not isinstance(app.screen, Weather))


async def test_header_and_footer_of_another_screen_name_it(kit: ModuleType, app: CockpitApp) -> None:
    async with app.run_test(size=(140, 40)) as pilot:
        await kit.until(pilot, lambda: "7 Weather" in kit.shown(app).splitlines()[0])
        await kit.until(pilot, lambda: "2 3 4 5 6 7 screens" in kit.shown(app).splitlines()[-1])


async def test_the_help_names_it(kit: ModuleType, app: CockpitApp) -> None:
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.press("question_mark")
        await kit.until(pilot, lambda: "Screens" in kit.shown(app))
        screens = next(line for line in kit.shown(app).splitlines() if "Screens   " in line)
        assert "6 Log" in screens and "7 Weather" in screens


async def test_the_palette_finds_it_and_goes_there(kit: ModuleType, app: CockpitApp) -> None:
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.press("ctrl+p")
        await kit.until(pilot, lambda: isinstance(app.screen, Palette) and bool(app.screen.query(Input)))
        await pilot.press(*"weather")
        await kit.until(pilot, lambda: "Whether it rains." in kit.shown(app))
        await kit.until(pilot, lambda: app.screen.query_one(CommandList).option_count == 1)
        await pilot.press("enter")
        await kit.until(pilot, lambda: isinstance(app.screen, Weather))


def test_its_keys_are_moved_and_guarded_like_any_other(tmp_path: Path) -> None:
    groups, ways = action_groups(TABLE), list(ways_to(TABLE).values())
    file = tmp_path / "keys.yaml"
    file.write_text("weather.count: f9\ngo.weather: '0'\n")
    with pytest.raises(Exception, match=r"chart\.whole"):  # Flight's own
        read_keymap(file, groups, ways)
    file.write_text("weather.count: f9\ngo.weather: '8'\n")
    assert read_keymap(file, groups, ways) == {"weather.count": "f9", "go.weather": "8"}


def test_without_its_entry_there_is_nothing_of_it() -> None:
    assert "weather" not in ways_to() and "weather" not in action_groups()
    assert "weather" not in sources_on(Path("runs"))
    assert replace(WEATHER, key="8").way.key == "8"
