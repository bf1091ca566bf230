"""Every key of every action of the registry, pressed in the app: it changes what is to be seen, or says why not."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cockpit.actions.keys import key_word
from cockpit.screens.shared.base import CockpitScreen, FramedScreen
from cockpit.screens.table import action_groups, ways_to
from cockpit.toolkit.modals.prompt import Nowhere
from engine.runs.layout import RunPaths, create_run

from .scenes import a_whole_run
from .walks import WALKS

GROUPS = action_groups()
GO = ways_to()


@pytest.fixture
def run(record: Any, tmp_path: Path) -> RunPaths:
    return a_whole_run(record, tmp_path)


@pytest.mark.parametrize("group", GROUPS)
async def test_every_key_of_a_screen_does_what_it_says(
    kit: ModuleType, group: str, request: pytest.FixtureRequest
) -> None:
    await WALKS[group](kit, request)


async def test_every_screen_is_reached_from_every_screen(kit: ModuleType) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(80, 24)) as pilot:
        for here in GO.values():
            for there in GO.values():
                for go in (here, there):
                    await pilot.press(*go.key.split(","))
                    await kit.until(pilot, lambda go=go: go.id == f"go.{type(app.screen).__name__.lower()}")


@pytest.mark.parametrize("name", [name for name in GROUPS if name not in ("start", "alerts")])
async def test_a_key_without_effect_says_why(kit: ModuleType, name: str, tmp_path: Path) -> None:
    """In a run of which nothing is known yet."""
    app = kit.app_on_run(create_run(tmp_path / "runs", "fresh"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(GO[name].key)
        await kit.until(pilot, lambda: type(app.screen).__name__.lower() == name)
        silent = []
        for action in GROUPS[name]:
            reason = action.reason(app.screen.known())
            for key in action.key.split(",") if reason else ():
                app.clear_notifications()
                await pilot.press(key)
                if reason not in kit.said(app):
                    silent.append((action.id, key, reason))
                if action.words:
                    assert isinstance(app.screen, Nowhere)
                    await pilot.press("x", "enter")  # a letter of a word, no key
                    await kit.until(pilot, lambda: len(app.screen_stack) == 1)
        assert silent == []


@pytest.mark.parametrize("name", ["start", *GO])
async def test_the_palette_takes_what_the_keys_take(
    kit: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    for kind in (CockpitScreen, FramedScreen):
        monkeypatch.setattr(kind, "action_take", lambda _screen, id: taken.append(id))
    app = kit.app_on(None if name == "start" else kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(80, 24)) as pilot:
        if name != "start":
            await pilot.press(GO[name].key)
            await kit.until(pilot, lambda: type(app.screen).__name__.lower() == name)
        commands = list(app.get_system_commands(app.screen))
        for command in commands[:-1]:
            command.callback()
    wanted = [*GROUPS[name], *GO.values()]
    assert taken == [action.id for action in wanted]
    for action, command in zip(wanted, commands, strict=False):
        assert command.title == action.label
        assert command.help.split() == [key_word(action.keys), *action.help.split()]
