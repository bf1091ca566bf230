"""What holds for every screen about a run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from PIL import Image
from textual.events import Resize
from textual.geometry import Size
from textual.message import Message
from textual.pilot import Pilot
from textual.screen import Screen

from cockpit.app import CockpitApp
from cockpit.screens.flight.screen import Flight
from cockpit.screens.shared.base import RunScreen
from cockpit.screens.shared.help import Help
from cockpit.screens.table import action_groups, ways_to
from cockpit.toolkit.glyphs import ASCII
from engine.runs.layout import RunPaths

GROUPS = action_groups()
GO = ways_to()

OTHERS = [(go.key, go.label) for name, go in GO.items() if name not in ("flight", "setup")]


@pytest.fixture
def run(record, tmp_path: Path) -> RunPaths:
    paths: RunPaths = record()
    paths.log.write_text("=== attempt 1 ===\n2026-11-23 02:14:07 INFO    effusion … 心\n")
    config = {"data": {"curriculum": str(tmp_path / "none.jsonl"), "image_root": str(tmp_path / "images")}}
    paths.config.write_text(yaml.safe_dump(config))
    Image.linear_gradient("L").save(tmp_path / "images" / "two.png")
    return paths


async def go(kit: ModuleType, pilot: Pilot[None], app: CockpitApp, key: str, title: str) -> RunScreen:
    await pilot.press(key)
    await kit.until(pilot, lambda: f"{key} {title}" in kit.shown(app))
    assert isinstance(app.screen, RunScreen)
    return app.screen


@pytest.mark.parametrize(("key", "title"), OTHERS)
async def test_ascii_shows_ascii_only(kit: ModuleType, run: RunPaths, key: str, title: str) -> None:
    run.log.write_text("=== attempt 1 ===\n" + "x" * 300 + "\n")
    app = kit.app_on_run(run, glyphs=ASCII)
    async with app.run_test(size=(80, 24)) as pilot:
        await go(kit, pilot, app, key, title)
        await pilot.pause(0.3)
        assert [char for char in kit.shown(app) if ord(char) > 127 and char != "\ufffd"] == []


@pytest.mark.parametrize(("key", "title"), OTHERS)
async def test_a_damaged_run_is_told_and_does_no_harm(
    kit: ModuleType, run: RunPaths, key: str, title: str
) -> None:
    run.db.write_bytes(b"no database at all" * 100)
    app = kit.app_on_run(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(key)
        await kit.until(pilot, lambda: "damaged" in kit.shown(app))
        await pilot.press("question_mark")
        await kit.until(pilot, lambda: isinstance(app.screen, Help))


@pytest.mark.parametrize(("key", "title"), OTHERS)
async def test_only_the_screen_that_is_seen_is_read(
    kit: ModuleType, run: RunPaths, key: str, title: str
) -> None:
    app = kit.app_on_run(run)
    async with app.run_test(size=(80, 24)) as pilot:
        await kit.until(pilot, lambda: isinstance(app.screen, RunScreen))
        flight = app.screen
        screen = await go(kit, pilot, app, key, title)
        await kit.until(pilot, lambda: not flight.background._seen.is_set())
        await pilot.press("1")
        await kit.until(pilot, lambda: not screen.background._seen.is_set() and app.screen is flight)
        assert flight.background._seen.is_set()


@pytest.mark.parametrize(("key", "title"), OTHERS)
async def test_help_fits_eighty_columns_and_names_every_screen(
    kit: ModuleType, run: RunPaths, key: str, title: str
) -> None:
    app = kit.app_on_run(run)
    async with app.run_test(size=(80, 24)) as pilot:
        await go(kit, pilot, app, key, title)
        await pilot.press("question_mark")
        await kit.until(pilot, lambda: "Screens" in kit.shown(app))
        assert "Leave the cockpit; the engine keeps training." in kit.shown(app)
        assert all(f"{go.key} {go.label}" in kit.shown(app) for go in GO.values())


class Between(Message):
    """Keeps two sizes from becoming one in the queue."""


@pytest.mark.parametrize("box", [False, True], ids=["screen", "help"])
async def test_sizes_that_come_together_end(
    kit: ModuleType, monkeypatch: pytest.MonkeyPatch, box: bool
) -> None:
    """Two of them in one queue would else be answered by each other for ever."""
    told: list[tuple[int, int]] = []
    resized = Screen._on_resize

    async def counted(screen: Screen, event: Resize) -> None:
        told.append(event.size)
        await resized(screen, event)

    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(80, 24)) as pilot:
        await kit.until(pilot, lambda: "● training" in kit.shown(app))
        if box:
            await pilot.press("question_mark")
            await kit.until(pilot, lambda: isinstance(app.screen, Help))
        await pilot.pause()
        monkeypatch.setattr(Screen, "_on_resize", counted)
        for size in (Size(50, 10), Size(80, 24)):
            app.screen.post_message(Resize(size, size))
            app.screen.post_message(Between())
        for _ in range(3000):
            await asyncio.sleep(0)
        assert told[:2] == [(50, 10), (80, 24)] and len(told) <= 6
        assert app.screen.size == (80, 24)


@pytest.mark.parametrize(("key", "title"), OTHERS)
async def test_too_small_a_terminal_says_so(kit: ModuleType, run: RunPaths, key: str, title: str) -> None:
    app = kit.app_on_run(run)
    async with app.run_test(size=(80, 24)) as pilot:
        await go(kit, pilot, app, key, title)
        await pilot.resize_terminal(50, 12)
        await kit.until(pilot, lambda: "too small" in kit.shown(app))
        await pilot.resize_terminal(80, 24)
        await kit.until(pilot, lambda: f"{key} {title}" in kit.shown(app))


async def test_keys_do_not_change_the_screen_behind_a_question(kit: ModuleType, run: RunPaths) -> None:
    app = kit.app_on_run(run)
    async with app.run_test(size=(80, 24)) as pilot:
        await go(kit, pilot, app, "5", "Runs")
        await kit.until(pilot, lambda: "parked" in kit.shown(app))
        await pilot.press("question_mark", "2")
        await kit.until(pilot, lambda: isinstance(app.screen, Help))
        await pilot.press("escape")
        await kit.until(pilot, lambda: "5 Runs" in kit.shown(app))


def test_every_screen_of_the_registry_can_be_left_and_helped() -> None:
    for name, group in GROUPS.items():
        if name == "alerts":  # a box over a screen
            continue
        ids = {action.id for action in group}
        assert {"help", "leave"} <= ids
        assert name == "start" or {"back", "alerts"} <= ids


async def test_a_mistake_of_its_own_shows_no_values(
    kit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_screen: Flight, _action: object) -> None:
        report = "Mrs Smith has a left effusion."
        raise KeyError(report)

    app = kit.app_on(kit.FakeSource(kit.a_state()))
    monkeypatch.setattr(Flight, "carry_out", fails)
    with pytest.raises(KeyError):
        async with app.run_test(size=(80, 24)) as pilot:
            await kit.until(pilot, lambda: isinstance(app.screen, Flight))
            await pilot.press("plus")
            await kit.until(pilot, lambda: not app.is_running)
    told = " ".join(capsys.readouterr().err.split())
    assert "error of its own (KeyError)" in told and "in fails" in told and "Smith" not in told
