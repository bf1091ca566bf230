"""Keys from the registry in the app: moved ones, the palette, and what a bad file does."""

from __future__ import annotations

import gc
import os
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from textual.binding import BindingsMap
from textual.events import MouseScrollUp
from textual.message_pump import MessagePump
from textual.widgets import Input

from cockpit.actions.action import always
from cockpit.actions.keys import key_word, move_keys
from cockpit.alerts.alert_list import AlertList
from cockpit.cli import main
from cockpit.screens.flight.zoom_chart import ZoomChart
from cockpit.screens.shared.help import Help, help_lines
from cockpit.screens.table import action_groups, ways_to
from cockpit.toolkit.glyphs import UNICODE
from cockpit.toolkit.key_bar import keys_line
from cockpit.toolkit.key_clicks import key_at
from cockpit.toolkit.lines import cells
from cockpit.toolkit.modals.confirm import Confirm
from cockpit.toolkit.modals.palette import Palette
from engine.runs.lock import EngineLock
from engine.runs.store.opening import open_writer

GROUPS = action_groups()
GO = ways_to()


def write_keys(text: str) -> Path:
    path = Path(os.environ["XDG_CONFIG_HOME"]) / "cxr-cockpit" / "keys.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


async def test_a_moved_key_does_it_and_the_one_before_does_nothing(kit: ModuleType) -> None:
    move_keys({"park": "P", "stop": "p", "go.samples": "f2"})
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test(size=(120, 40)) as pilot:
        await kit.until(pilot, lambda: "P park" in kit.shown(app) and "p stop" in kit.shown(app))
        await pilot.press("2", "x", "P", "enter")
        await kit.until(pilot, lambda: source.asked == ["park"])
        await pilot.press("p")
        await kit.until(pilot, lambda: "enter stops" in kit.shown(app))
        await pilot.press("enter")
        await kit.until(pilot, lambda: source.asked == ["park", "stop"])
        await pilot.press("f2")
        await kit.until(pilot, lambda: "f2 Samples" in kit.shown(app))


async def test_what_waits_for_a_hand_names_the_moved_key(kit: ModuleType) -> None:
    move_keys({"resume": "R"})
    app = kit.app_on(kit.FakeSource(kit.a_state(state="parked")))
    async with app.run_test(size=(120, 40)) as pilot:
        await kit.until(pilot, lambda: "R goes on from stage_b-000200" in kit.shown(app))
        await pilot.press("space")
        await kit.until(pilot, lambda: any("R resumes" in words for words in kit.said(app)))


async def test_the_palette_finds_actions_and_screens(kit: ModuleType) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(120, 40)) as pilot:
        await kit.until(pilot, lambda: "● training" in kit.shown(app))
        await pilot.press("ctrl+p")
        await kit.until(pilot, lambda: "Write a checkpoint" in kit.shown(app))
        await pilot.press(*"Data")
        await kit.until(pilot, lambda: GO["data"].help in kit.shown(app))
        await pilot.press("enter", "enter")
        await kit.until(pilot, lambda: "4 Data" in kit.shown(app))


BOXES = {"help": "?", "alerts": "a", "question": "x", "palette": "ctrl+p", "prompt": "slash"}


@pytest.mark.parametrize("box", BOXES)
async def test_what_was_closed_is_not_kept(kit: ModuleType, record, box: str) -> None:
    """Whatever stayed would make every collection of garbage, and so every key, slower."""
    paths = record(end=None)
    with EngineLock.take(paths), open_writer(paths) as writer:
        writer.state("training")
        app = kit.app_on_run(paths)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await kit.until(pilot, lambda: "● training" in kit.shown(app))
            if box == "prompt":
                await pilot.press("6")
                await kit.until(pilot, lambda: "6 Log" in kit.shown(app))

            async def often(times: int) -> Counter[str]:
                for _ in range(times):
                    await pilot.press(BOXES[box])
                    await kit.until(pilot, lambda: len(app.screen_stack) == 2)
                    await pilot.pause()
                    await pilot.press("escape")
                    await kit.until(pilot, lambda: len(app.screen_stack) == 1)
                    await pilot.pause()
                gc.collect()
                kinds = (type(one) for one in gc.get_objects())
                return Counter(
                    kind.__name__ for kind in kinds if str(kind.__module__).startswith(("cockpit", "textual"))
                )

            before = await often(3)
            after = await often(6)
    assert {name: count for name, count in (after - before).items() if count >= 6} == {}


@pytest.mark.parametrize(
    ("x", "key"),
    [
        (0, None),
        (1, "space"),
        (5, "space"),
        (9, "space"),
        (12, None),
        (13, "j"),
        (15, "k"),
        (17, "j"),
        (23, None),
    ],
)
def test_a_click_means_the_key_that_is_shown_there(x: int, key: str | None) -> None:
    line = keys_line([("space", "hold", 0), ("j k", "case", 1)], 80)
    assert key_at(cells(line, 24), x) == key


async def test_the_mouse_presses_keys_and_its_wheel_arrows(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test(size=(120, 40)) as pilot:

        async def click(words: str) -> None:
            rows = kit.shown(app).splitlines()
            y = next(y for y, row in reversed(list(enumerate(rows))) if words in row)
            await pilot.click(offset=(rows[y].index(words), y))

        await kit.until(pilot, lambda: "c checkpoint" in kit.shown(app))
        await click("checkpoint  g")
        await kit.until(pilot, lambda: source.asked == ["save"])
        await click("z zoom")
        await kit.until(pilot, lambda: "B step 300  raw" in kit.shown(app))
        extent = app.screen.query_one(ZoomChart).window.extent
        app.screen.query_one(ZoomChart).post_message(wheel_up())
        await kit.until(pilot, lambda: app.screen.query_one(ZoomChart).window.extent < extent)
        app.clear_notifications()  # escape would close them first
        await click("esc close")
        await click("6 screens")
        await kit.until(pilot, lambda: "6 Log" in kit.shown(app))
        await click("4 Data")
        await kit.until(pilot, lambda: "4 Data" in kit.shown(app))
        await kit.until(pilot, lambda: type(app.screen).__name__ == "Data")
        await click("? help")
        await kit.until(pilot, lambda: isinstance(app.screen, Help))


def wheel_up() -> MouseScrollUp:
    return MouseScrollUp(None, 30, 20, 0, 0, 0, False, False, False)


async def test_a_key_of_another_screen_is_not_silent_and_says_it_once(kit: ModuleType) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(80, 24)) as pilot:
        await kit.until(pilot, lambda: "● training" in kit.shown(app))
        await pilot.press("z", "z", "2", "1", "tab")
        assert kit.said(app) == []
        await pilot.press("f", "v", "f")
        assert kit.said(app) == ["this key does nothing here; ? shows those that do"]


@pytest.mark.parametrize("width", [40, 56, 88])
def test_help_is_never_cut(width: int) -> None:
    for group in GROUPS.values():
        actions = [action for action in group if action.reason is always]
        lines = [
            "".join(part for part, _ in line) for line in help_lines(actions, None, UNICODE, GO, [], width)
        ]
        assert width < 50 or all(len(line.rstrip()) <= width for line in lines)
        assert all(
            action.help in " ".join(" ".join(lines).split()) for action in actions if not action.companion
        )


async def test_help_scrolls_where_it_does_not_fit(kit: ModuleType) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(80, 20)) as pilot:
        await kit.until(pilot, lambda: "● training" in kit.shown(app))
        await pilot.press("question_mark")
        await pilot.resize_terminal(80, 14)
        await kit.until(pilot, lambda: "j k moves" in kit.shown(app))
        assert "On the route" not in kit.shown(app)
        await pilot.press("space", "space", "space")
        await kit.until(pilot, lambda: "On the route" in kit.shown(app))
        await pilot.press("question_mark")
        await kit.until(pilot, lambda: not isinstance(app.screen, Help))


async def test_a_palette_that_is_left_at_once(kit: ModuleType) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(120, 40)) as pilot:
        await kit.until(pilot, lambda: "● training" in kit.shown(app))
        await pilot.press("ctrl+p", "escape", "ctrl+p")
        await kit.until(pilot, lambda: "find a key by its name" in kit.shown(app))
        assert not app.screen.query_one(Input).cursor_blink


async def test_enter_pressed_often_chooses_once(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test(size=(120, 40)) as pilot:
        await kit.until(pilot, lambda: "● training" in kit.shown(app))
        await pilot.press("ctrl+p")
        await kit.until(pilot, lambda: "Write a checkpoint" in kit.shown(app))
        palette = app.screen
        await pilot.press(*"hold", "down")
        for _ in range(3):
            palette._action_command_list("select")
            palette._select_or_command()
        await kit.until(pilot, lambda: source.asked == ["hold"])
        await pilot.press("x")
        await kit.until(pilot, lambda: isinstance(app.screen, Confirm))
        asked = app.screen
        for _ in range(3):
            asked.action_answer(True)
        await kit.until(pilot, lambda: source.asked == ["hold", "stop"])
        assert len(app.screen_stack) == 1


@pytest.mark.parametrize("size", [(1, 1), (4, 30), (5, 30), (6, 30)])
async def test_a_palette_without_room_takes_no_key_amiss(kit: ModuleType, size: tuple[int, int]) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("ctrl+p")
        await kit.until(pilot, lambda: "Write a checkpoint" in kit.shown(app))
        await pilot.press("down")
        await pilot.resize_terminal(*size)
        await pilot.pause()
        await pilot.press("pageup", "pagedown", "home", "end", "enter", "enter")
        await pilot.resize_terminal(120, 40)
        await kit.until(pilot, lambda: "night-run-3" in kit.shown(app))


README = Path(__file__).parents[2] / "README.md"
ROW = re.compile(r"^\| ((?:`[^`]+` ?)+)\| `([\w.]+)` \|")


def keys_in_the_readme() -> dict[str, set[tuple[str, str]]]:
    """{heading of the table: {(key, action)}}; the first one is Flight's."""
    heading, found = "Flight", {}
    for line in README.read_text(encoding="utf-8").splitlines():
        if line.startswith("<details><summary>"):
            heading = line.removeprefix("<details><summary>").removesuffix("</summary>")
        elif row := ROW.match(line):
            found.setdefault(heading, set()).update((key, row[2]) for key in re.findall("`([^`]+)`", row[1]))
    return found


def bound(bindings: BindingsMap) -> set[tuple[str, str]]:
    """(key, action) of what a screen or the app binds to actions of the registry."""
    wanted = re.compile(r"(?:take|show_screen)\('([\w.]+)'\)")
    return {
        (key_word(key), f"go.{row[1]}" if "show_screen" in binding.action else row[1])
        for key, binding in bindings
        if (row := wanted.fullmatch(binding.action))
    }


async def test_the_readme_names_the_keys_that_every_screen_has(kit: ModuleType) -> None:
    told = keys_in_the_readme()
    common = told.pop("Every screen")
    ways = {one for one in common if one[1].startswith("go.")}
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(120, 40)) as pilot:
        await kit.until(pilot, lambda: "● training" in kit.shown(app))
        assert bound(app._bindings) == ways
        for name, go in GO.items():
            await pilot.press(go.key)
            await kit.until(pilot, lambda name=name: type(app.screen).__name__.lower() == name)
            assert bound(app.screen._bindings) == told.pop(name.capitalize()) | (common - ways), name
        await pilot.press("a")
        await kit.until(pilot, lambda: isinstance(app.screen, AlertList))
        assert bound(app.screen._bindings) == told.pop("Alerts")
    start = kit.app_on(None)
    async with start.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        everywhere = {one for one in common if one[1] in ("help", "leave")}
        assert bound(start.screen._bindings) == told.pop("Start") | everywhere
    assert not told


def test_a_bad_file_ends_the_program_with_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_keys("parc: P\n")
    monkeypatch.setattr("cockpit.app.is_terminal", lambda: True)
    assert main(["--runs", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told == f"cxr-cockpit: {path}:1: no action 'parc': did you mean park?\n"


async def test_a_palette_left_while_it_searches_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(MessagePump, "set_timer", lambda _pump, _delay, callback, **_options: callback())
    palette = Palette()  # nothing of it is there any more
    palette.set_timer(0, lambda: called.append("no match"))
    await palette._watch__show_busy()
    palette._watch__list_visible()
    assert called == []
