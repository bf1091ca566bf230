"""Words that are typed or pasted where nothing takes them steer no run; see `cockpit.input_handling`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from textual.events import Key, Paste
from textual.pilot import Pilot
from textual.widgets import Input

from cockpit import input_handling
from cockpit.alerts.alert_list import AlertList
from cockpit.app import CockpitApp
from cockpit.input_handling import StrayTyping
from cockpit.screens.flight.screen import Flight
from cockpit.screens.shared.help import Help
from cockpit.screens.start.offers import Offers
from cockpit.screens.table import sources_on
from cockpit.toolkit.modals.confirm import Confirm
from cockpit.toolkit.modals.prompt import Nowhere, Prompt
from engine.runs.layout import RunPaths

ALONE, PACE = 0.05, 0.5


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys at the pace that their times say; one that is alone acts soon."""
    monkeypatch.setattr(input_handling, "ALONE_SECONDS", ALONE)
    monkeypatch.setattr(input_handling, "PACE_SECONDS", PACE)


async def flying(kit: ModuleType, pilot: Pilot[None]) -> None:
    await kit.until(pilot, lambda: "● training" in kit.shown(pilot.app))


def at_once(app: CockpitApp, text: str, begin: float = 1000.0, gap: float = 0.001) -> None:
    """What a terminal without bracketed paste sends for a pasted text, or hands that type it."""
    for place, letter in enumerate(text):
        name = {"\n": "enter", " ": "space", "/": "slash"}.get(letter, letter)
        key = Key(name, "\r" if letter == "\n" else letter)
        key.time = begin + gap * place
        app.post_message(key)


def test_a_word_lasts_as_long_as_it_is_typed(hands: None) -> None:
    words = StrayTyping()
    assert not words.takes(1.0)
    words.begin(1.0)
    assert words.takes(1.4) and words.takes(1.8) and not words.takes(2.4)
    words.begin(3.0)
    words.end()
    assert not words.takes(3.1)


async def test_a_slash_without_a_search_takes_the_word_after_it(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await flying(kit, pilot)
        for end in ("enter", "escape"):
            await pilot.press("slash")
            await kit.until(pilot, lambda: isinstance(app.screen, Nowhere))
            assert "There is nothing to find here" in kit.shown(app) and "goes nowhere" in kit.shown(app)
            await pilot.press(*"pneumothorax")
            assert app.screen.query_one(Input).value == "pneumothorax"
            await pilot.press(end)
            await kit.until(pilot, lambda: isinstance(app.screen, Flight))
        assert source.asked == [] and app.is_running


@pytest.mark.parametrize("box", ["question_mark", "a", "x"])
async def test_a_slash_in_a_box_takes_its_word_too(kit: ModuleType, box: str) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await flying(kit, pilot)
        await pilot.press(box, "slash", *"quite a pneumothorax", "enter")
        if box != "x":  # the box stays; a question is withdrawn
            await kit.until(pilot, lambda: isinstance(app.screen, Help | AlertList))
            await pilot.press("escape")
        await kit.until(pilot, lambda: isinstance(app.screen, Flight))
        assert source.asked == []


TEXTS = (
    "/pneumothorax\n",
    "pneumothorax\n",
    "upper lobe opacity\nsmall effusion\n",
    "python train.py\n",
    "consolidation, x-ray of the chest\n",
    "  given to the patient\n",
    "help\n",
    "stop\n",
    "px\n",
)


@pytest.mark.parametrize("state", ["training", "holding", "parked", "crashed"])
@pytest.mark.parametrize("text", TEXTS)
async def test_what_is_pasted_without_brackets_steers_nothing(
    kit: ModuleType, hands: None, text: str, state: str
) -> None:
    source = kit.FakeSource(kit.a_state(state=state))
    app = kit.app_on(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await kit.until(pilot, lambda: isinstance(app.screen, Flight) and app.screen.state is not None)
        at_once(app, text)
        await kit.until(pilot, lambda: len(app._notifications) > 0 or isinstance(app.screen, Nowhere | Help))
        await pilot.pause(3 * ALONE)
        assert source.asked == [] and source.launched == 0 and not isinstance(app.screen, Confirm)
        assert app.is_running
        assert len(kit.said(app)) == len(set(kit.said(app)))


async def test_a_word_that_hands_type_steers_nothing_and_it_is_said(kit: ModuleType, hands: None) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await flying(kit, pilot)
        at_once(app, "oh, stop\n", gap=0.2)
        await kit.until(pilot, lambda: any("typed words go nowhere" in one for one in kit.said(app)))
        await pilot.pause(3 * ALONE)
        assert source.asked == [] and isinstance(app.screen, Flight)


async def test_a_key_that_stands_alone_steers(kit: ModuleType, hands: None) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await flying(kit, pilot)
        at_once(app, "c")
        await kit.until(pilot, lambda: source.asked == ["save"])
        at_once(app, "p", begin=1002.0)
        await kit.until(pilot, lambda: isinstance(app.screen, Confirm))
        at_once(app, "\n", begin=1003.0)
        await kit.until(pilot, lambda: source.asked == ["save", "park"])


async def test_letters_are_no_answer_and_withdraw_the_question(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await flying(kit, pilot)
        for keys in ("py", "pp"):
            await pilot.press(*keys)
            await kit.until(pilot, lambda: "enter parks, esc goes back" in kit.said(app))
            await pilot.press("escape")
        await pilot.press(*"pthy")
        await kit.until(pilot, lambda: "letters are no answer, nothing is done" in kit.shown(app))
        await pilot.press(*"nqn", "enter")
        await kit.until(pilot, lambda: isinstance(app.screen, Flight))
        assert source.asked == []


async def test_bracketed_paste_is_no_key_and_is_answered(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await flying(kit, pilot)
        app.post_message(Paste("p\nx\n"))
        await kit.until(pilot, lambda: "pasted text goes nowhere here" in kit.said(app))
        await pilot.press("p")
        await kit.until(pilot, lambda: isinstance(app.screen, Confirm))
        app.post_message(Paste("p\ny\n"))
        await kit.until(pilot, lambda: "letters are no answer" in kit.shown(app))
        await pilot.press("enter")
        await kit.until(pilot, lambda: isinstance(app.screen, Flight))
        assert source.asked == []


async def test_letters_before_a_field_is_there_are_its_own(kit: ModuleType, record) -> None:
    """All of them are in the queue before the field is made."""
    app = kit.app_on_run(record())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        await kit.until(pilot, lambda: "6 Log" in kit.shown(app))
        at_once(app, "/effusion")
        await kit.until(pilot, lambda: isinstance(app.screen, Prompt) and bool(app.screen.query(Input)))
        await kit.until(pilot, lambda: app.screen.query_one(Input).value == "effusion")
        await pilot.press("escape")
        at_once(app, "/none\n")
        await kit.until(pilot, lambda: len(app.screen_stack) == 1 and "none" in kit.shown(app))


async def test_escape_closes_a_message_before_it_leaves_a_screen(kit: ModuleType, record) -> None:
    app = kit.app_on_run(record())
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("5")
        await kit.until(pilot, lambda: "5 Runs" in kit.shown(app) and "parked" in kit.shown(app))
        await pilot.press("k")
        await kit.until(pilot, lambda: "this is the first run" in kit.shown(app))
        await pilot.press("escape")
        await kit.until(pilot, lambda: "this is the first run" not in kit.shown(app))
        assert "5 Runs" in kit.shown(app)
        await pilot.press("escape")
        await kit.until(pilot, lambda: isinstance(app.screen, Flight))


async def test_a_box_does_not_go_away_under_the_fingers(kit: ModuleType, tmp_path: Path) -> None:
    """The demo that was asked for begins while a path is typed: its letters must not become Flight's keys."""
    source = kit.FakeSource(kit.a_state())
    begun: list[bool] = []

    def demo() -> RunPaths:
        while not begun:
            pass
        return RunPaths(tmp_path / "demo")

    offers = Offers(demo, lambda _path: kit.refuse(), lambda: "")
    sources = {
        **sources_on(tmp_path),
        "flight": lambda _paths: source,
        "alerts": lambda _paths: source.watch,
    }
    app = CockpitApp(None, sources, offers, poll_seconds=0.03)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("d", "o")
        await kit.until(pilot, lambda: isinstance(app.screen, Prompt))
        begun.append(True)
        await kit.until(pilot, lambda: "demo opens when this box is closed" in kit.said(app))
        await pilot.press(*"px")
        assert isinstance(app.screen, Prompt) and app.screen.query_one(Input).value == "px"
        await pilot.press("escape")
        await kit.until(pilot, lambda: isinstance(app.screen, Flight) and "● training" in kit.shown(app))
        assert source.asked == []


async def test_a_stage_that_ended_before_the_answer_is_not_the_one_that_is_stopped(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    stages = source.state.stages
    before = (replace(stages[0], status="now"), replace(stages[1], status="ahead"))
    source.state = replace(source.state, stages=before)
    app = kit.app_on(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await flying(kit, pilot)
        await pilot.press("x")
        await kit.until(pilot, lambda: isinstance(app.screen, Confirm))
        app.screen_stack[0].state = replace(source.state, stages=stages)
        await pilot.press("enter")
        await kit.until(
            pilot, lambda: any("the stage ended before the answer" in one for one in kit.said(app))
        )
        assert source.asked == []
