"""Whatever lies over a screen is left once, however often it is asked to go."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from textual.screen import ModalScreen

from cockpit.alerts.alert_list import AlertList
from cockpit.screens.flight.actions import STOP
from cockpit.screens.setup.confirm_fix import ConfirmFix
from cockpit.screens.setup.view import SetupView
from cockpit.screens.shared.help import Help
from cockpit.screens.table import action_groups, ways_to
from cockpit.toolkit.glyphs import UNICODE
from cockpit.toolkit.modals.choose import Choose
from cockpit.toolkit.modals.confirm import Confirm
from cockpit.toolkit.modals.palette import Palette
from cockpit.toolkit.modals.prompt import Prompt
from cockpit.toolkit.modals.reading import Reading
from cockpit.views.setup_state import SetupState

from .scenes import PEFT, PLAN

GROUPS = action_groups()
NO_SIGNAL: Any = SimpleNamespace(subscribe=lambda *_: None, unsubscribe=lambda *_: None)

BOXES: dict[str, Callable[[], ModalScreen[Any]]] = {
    "agree": lambda: ConfirmFix(SetupView(SetupState(findings=(PEFT,), plan=PLAN)), UNICODE),
    "alerts": lambda: AlertList([], NO_SIGNAL, lambda _keys: None, UNICODE),
    "choose": lambda: Choose("which", [("one", ""), ("two", "")], UNICODE),
    "confirm": lambda: Confirm(STOP),
    "help": lambda: Help(GROUPS["start"], None, UNICODE, ways_to(), []),
    "prompt": lambda: Prompt("what"),
    "reading": lambda: Reading("a text", lambda _width: [], UNICODE),
}


@pytest.mark.parametrize("name", BOXES)
async def test_every_box_is_left_once(kit: ModuleType, name: str) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(80, 24)) as pilot:
        box = BOXES[name]()
        app.push_screen(box)
        await kit.until(pilot, lambda: app.screen is box)
        for _ in range(3):
            box.dismiss(None)
        await kit.until(pilot, lambda: len(app.screen_stack) == 1)
        await pilot.pause()
        assert app.is_running


async def test_colours_are_chosen_in_such_a_palette(kit: ModuleType) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(80, 24)) as pilot:
        await kit.until(pilot, lambda: "● training" in kit.shown(app))
        app.action_change_theme()
        await kit.until(pilot, lambda: isinstance(app.screen, Palette) and "cockpit-light" in kit.shown(app))
        await pilot.press("escape")
        await kit.until(pilot, lambda: len(app.screen_stack) == 1)


async def test_a_choice_holds_at_its_ends(kit: ModuleType) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(BOXES["choose"]())
        await kit.until(pilot, lambda: "▸ one" in kit.shown(app))
        await pilot.press("k")
        assert kit.said(app) == ["this is the first one"]
        await pilot.press("j", "j")
        await kit.until(pilot, lambda: "▸ two" in kit.shown(app))
        assert kit.said(app)[-1] == "this is the last one"
