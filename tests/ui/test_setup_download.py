"""The Setup screen and the base model's download: followed, ended, gone on with, and told of from anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cockpit.app import CockpitApp
from cockpit.screens.setup.actions import DOWNLOAD
from cockpit.screens.setup.download import BaseModel, base_directory
from cockpit.screens.setup.screen import Setup
from cockpit.screens.setup.view import SetupView
from cockpit.toolkit.modals.confirm import Confirm
from cockpit.views.setup_state import SetupState
from engine.config import demo_config_path
from engine.download.model_download import (
    DEFAULT_REPO,
    Download,
    FileProgress,
    default_directory,
    take_lock,
    write_download,
)
from engine.errors import UserError
from engine.setup_check.finding import Finding
from engine.setup_check.probe.facts import Facts
from engine.setup_check.probe.target import Target

Write = Callable[[Download], None]


class WellCheck:
    """A check that finds nothing wrong."""

    def __init__(self) -> None:
        self.target = Target("/env/bin/python", (3, 11), own=True)
        self.facts = Facts(interpreter={"version": "3.11.7"}, start={"prefix": "/env"})
        self.findings = [Finding("interpreter", "interpreter", "ok", "Python 3.11.7 on x86_64")]
        self.plan, self.plans, self.trial = None, {}, False
        self.trying: Callable[[Any], None] = lambda _part: None

    def run(self) -> Iterator[Finding]:
        yield from self.findings


class Checks:
    """Remembers how often a check was asked for."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _config: Path | None, _known: Facts | None) -> Any:
        self.count += 1
        return WellCheck()


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Where the base belongs without a configuration; its download's lock is held, as by a living one."""
    place = tmp_path / default_directory(DEFAULT_REPO)
    lock = take_lock(place)
    assert lock is not None
    yield place
    os.close(lock)


def downloading(directory: Path, state: Any = "fetching", message: str = "") -> Download:
    files = (
        FileProgress("config.json", 1_000, 1_000, "whole"),
        FileProgress("model-00002-of-00004.safetensors", 4_000_000_000, 1_000_000_000, "under way"),
    )
    live = {"bytes_per_second": 50e6, "seconds_left": 60.0, "pid": 1} if state == "fetching" else {}
    return Download("some/model", "main", directory, state, message, files=files, **live)


def app_with(kit: ModuleType, checks: Checks) -> CockpitApp:
    app: CockpitApp = kit.app_on(None, make_check=checks)
    return app


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_it_is_followed_to_its_end(kit: ModuleType, size: tuple[int, int], directory: Path) -> None:
    write_download(downloading(directory))
    checks = Checks()
    app = app_with(kit, checks)
    async with app.run_test(size=size) as pilot:
        await pilot.press("3")
        line = "download  25 %  1.00 GB of 4.00 GB   50.0 MB/s   left 60 s"
        await kit.until(pilot, lambda: line in kit.shown(app))
        assert "model-00002-of-00004.safetensors   25 %" in kit.shown(app)
        assert "b end download" in kit.shown(app)
        await kit.until(pilot, lambda: app.setup.checked is not None)
        asked = checks.count
        write_download(downloading(directory, "finished", "2 files, every size and hash agrees"))
        await kit.until(
            pilot, lambda: any("the base model is here: 2 files" in text for text in kit.said(app))
        )
        await kit.until(pilot, lambda: checks.count == asked + 1)  # what came is looked at
        await kit.until(pilot, lambda: "1.00 GB of 4.00 GB" not in kit.shown(app))
        await pilot.press("b")
        await kit.until(pilot, lambda: any("the base model is there" in text for text in kit.said(app)))


async def test_it_is_ended_and_gone_on_with(
    kit: ModuleType, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_download(downloading(directory))
    ended: list[Path] = []
    begun: list[tuple[str, str, Path]] = []

    def end(download: Download) -> None:
        ended.append(download.directory.resolve())
        write_download(downloading(directory, "stopped", "what is here stays"))

    def begin(repo: str, revision: str, place: Path) -> Download:
        begun.append((repo, revision, place.resolve()))
        write_download(downloading(directory))
        return downloading(directory)

    monkeypatch.setattr("cockpit.screens.setup.download.stop_download", end)
    monkeypatch.setattr("cockpit.screens.setup.download.start_download", begin)
    app = app_with(kit, Checks())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("3")
        await kit.until(pilot, lambda: "b end download" in kit.shown(app))
        await pilot.press("b")
        await kit.until(pilot, lambda: "download stopped: what is here stays" in kit.shown(app))
        assert ended == [directory.resolve()]
        await pilot.press("b")
        await kit.until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "some/model" in kit.shown(app) and not begun
        await pilot.press("enter")
        await kit.until(pilot, lambda: "50.0 MB/s" in kit.shown(app))
        assert begun == [("some/model", "main", directory.resolve())]


async def test_its_end_is_told_while_another_screen_is_seen(kit: ModuleType, directory: Path) -> None:
    write_download(downloading(directory))
    app = app_with(kit, Checks())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("3")
        await kit.until(pilot, lambda: "50.0 MB/s" in kit.shown(app))
        app.clear_notifications()
        await pilot.press("escape")
        await kit.until(pilot, lambda: not isinstance(app.screen, Setup))
        write_download(downloading(directory, "failed", "the hub answers 503"))
        await kit.until(
            pilot, lambda: any("the download failed: the hub answers 503" in text for text in kit.said(app))
        )


async def test_what_cannot_be_begun_says_why(kit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Download:
        raise UserError("models: cannot be written")

    monkeypatch.setattr("cockpit.screens.setup.download.start_download", refuse)
    app = app_with(kit, Checks())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("3")
        await kit.until(pilot, lambda: "b download" in kit.shown(app))
        await pilot.press("b", "enter")
        await kit.until(pilot, lambda: any("models: cannot be written" in text for text in kit.said(app)))


def test_a_base_that_ships_with_the_program_is_not_fetched(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(demo_config_path().read_text())
    assert base_directory(config) is None
    config.write_text(config.read_text().replace("base: bundled", "base: own/model"))
    assert base_directory(config) == tmp_path / "own" / "model"
    config.write_text("{")
    assert base_directory(config) is None
    assert base_directory(None) == default_directory(DEFAULT_REPO)
    view = SetupView(SetupState(python="/python"), base=BaseModel())
    assert "ships with the program" in DOWNLOAD.reason(view)
