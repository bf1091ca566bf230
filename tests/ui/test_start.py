"""The start screen, and how a run is opened from it."""

from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from textual.widgets import Input

from cockpit.actions.action import always
from cockpit.app import CockpitApp, run_app
from cockpit.cli import main
from cockpit.screens.flight.screen import Flight
from cockpit.screens.shared.help import help_lines
from cockpit.screens.start.offers import Offers, machine_line
from cockpit.screens.start.screen import Start
from cockpit.screens.table import action_groups, sources_on, ways_to
from cockpit.terminal.graphics import WAYS
from cockpit.terminal.streams import is_terminal
from cockpit.toolkit.glyphs import UNICODE
from cockpit.toolkit.modals.prompt import Prompt
from engine.errors import UserError
from engine.runs.layout import RunPaths

GROUPS = action_groups()
GO = ways_to()


def shown(app: CockpitApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def test_it_offers_the_demo_and_the_configs(kit: ModuleType) -> None:
    app = kit.app_on(None)
    async with app.run_test(size=(80, 24)) as pilot:
        await kit.until(pilot, lambda: "2 cores   7.8 GiB memory" in shown(app))
        assert isinstance(app.screen, Start)
        assert "d  fly the demo" in shown(app) and "o  open a config" in shown(app)


async def test_the_demo_opens_its_run(kit: ModuleType, tmp_path: Path) -> None:
    source = kit.FakeSource(kit.a_state())
    offers = Offers(lambda: RunPaths(tmp_path / "demo"), lambda _path: kit.refuse(), lambda: "")
    app = CockpitApp(
        None, {**sources_on(tmp_path), "flight": lambda _paths: source}, offers, poll_seconds=0.03
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("d")
        await kit.until(pilot, lambda: isinstance(app.screen, Flight) and "● training" in shown(app))
        assert app.paths == RunPaths(tmp_path / "demo")


async def test_a_config_is_asked_for(
    kit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").touch()

    def start(path: Path) -> RunPaths:
        opened.append(path)
        raise UserError(f"{path}:3: unknown key lora.rnak; did you mean rank?")

    app = CockpitApp(None, sources_on(tmp_path), Offers(kit.refuse, start, lambda: ""))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("o")
        await kit.until(pilot, lambda: isinstance(app.screen, Prompt))
        await pilot.press("escape")
        await kit.until(pilot, lambda: isinstance(app.screen, Start))
        await pilot.press("o")
        await kit.until(pilot, lambda: isinstance(app.screen, Prompt))
        await pilot.press(*"my.yaml", "enter")
        await kit.until(pilot, lambda: opened == [Path("my.yaml")])
        await kit.until(pilot, lambda: any("did you mean rank?" in n.message for n in app._notifications))
        assert isinstance(app.screen, Start)


async def test_a_screen_about_a_run_needs_one(kit: ModuleType) -> None:
    app = kit.app_on(None)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1")
        await kit.until(pilot, lambda: any("no run yet" in n.message for n in app._notifications))


async def test_the_palette_lists_the_actions(kit: ModuleType) -> None:
    app = kit.app_on(None)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+p")
        await kit.until(pilot, lambda: "fly the demo" in shown(app) and "Phantom data" in shown(app))


def test_the_machine_in_one_line(tmp_path: Path) -> None:
    line = machine_line(tmp_path / "not" / "there" / "yet")
    assert "cores" in line and "GB disk free" in line and "\n" not in line


def test_without_a_terminal_the_app_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs a terminal"):
        run_app(None, tmp_path)


def test_the_command_line_offers_the_ways_of_images_that_the_app_has(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert f"--images {{{','.join(WAYS)}}}" in capsys.readouterr().out


@pytest.mark.parametrize("missing", ["stdin", "stdout", "stderr"])
def test_a_terminal_is_needed_for_reading_and_for_drawing(monkeypatch, missing: str) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}", SimpleNamespace(isatty=lambda here=name: here != missing))
    assert not is_terminal()
    monkeypatch.setattr(f"sys.{missing}", SimpleNamespace(isatty=lambda: True))
    assert is_terminal()


def test_an_unknown_theme_is_refused(kit: ModuleType) -> None:
    with pytest.raises(UserError, match="no theme 'purple'"):
        kit.app_on(None, theme="purple")
    with pytest.raises(UserError, match=r"no theme 'Drakula': did you mean dracula\?"):
        kit.app_on(None, theme="Drakula")


def test_the_columns_of_the_help_keep_apart() -> None:
    for group in GROUPS.values():
        actions = [action for action in group if action.label_now is None and action.reason is always]
        for line in help_lines(actions, None, UNICODE, GO, [], 88):
            assert len(line) != 3 or line[1][0].endswith("  "), line


async def test_configurations_are_listed_completed_and_a_typo_stays(
    kit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    for name in ("night.yaml", "nightly.yaml"):
        (tmp_path / "configs" / name).write_text("seed: 0\n")
    opened: list[Path] = []

    def start(path: Path) -> RunPaths:
        opened.append(path)
        raise UserError("unknown key")

    app = CockpitApp(None, sources_on(tmp_path), Offers(kit.refuse, start, lambda: ""))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("o")
        await kit.until(pilot, lambda: "configs/nightly.yaml" in shown(app) and "demo.yaml" in shown(app))
        field = app.screen.query_one(Input)
        await pilot.press(*"conf", "tab")
        assert field.value == "configs/night"
        await pilot.press(*"x", "enter")
        assert "no file configs/nightx" in kit.said(app) and field.value == "configs/nightx"
        await pilot.press("backspace", "l", "tab", "enter")
        await kit.until(pilot, lambda: opened == [Path("configs/nightly.yaml")])
        await kit.until(pilot, lambda: "unknown key" in kit.said(app))
        await pilot.press("o")
        await kit.until(pilot, lambda: isinstance(app.screen, Prompt))
        await kit.until(pilot, lambda: app.screen.query_one(Input).value == "configs/nightly.yaml")
        await pilot.press(*["backspace"] * 20, "down", "down")
        await kit.until(pilot, lambda: app.screen.query_one(Input).value == "configs/nightly.yaml")
