"""One walk a screen: every key of its actions, and what is to be seen afterwards and was not before."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

import pytest

from cockpit.alerts.alert import Alert
from cockpit.alerts.alert_list import AlertList
from cockpit.screens.flight.command_child import CommandEnded
from cockpit.screens.flight.zoom_chart import ZoomChart
from cockpit.screens.setup.confirm_fix import ConfirmFix
from cockpit.screens.shared.help import Help
from cockpit.toolkit.modals.choose import Choose
from cockpit.toolkit.modals.confirm import Confirm
from cockpit.toolkit.modals.prompt import Prompt
from cockpit.toolkit.modals.reading import Reading

from .scenes import a_crowd, broken_setup
from .walk import Walk

SIZE = (120, 40)
Request = pytest.FixtureRequest


async def start(kit: ModuleType, _request: Request) -> None:
    async with kit.app_on(None).run_test(size=SIZE, notifications=True) as pilot:
        walk = Walk(kit, pilot, "start")
        await walk.until(walk.sees("2 cores"))
        await walk.take("demo", walk.says("nothing can be started here"))
        await walk.take("open", walk.over(Prompt, "Configuration file"))
        await walk.back()
        await walk.take("help", walk.over(Help, "fly the demo"))
        await walk.back()
        await walk.leave()
    assert walk.left == []


async def flight(kit: ModuleType, request: Request) -> None:
    source = kit.FakeSource(kit.a_state())
    async with kit.app_on(source).run_test(size=SIZE, notifications=True) as pilot:
        walk = Walk(kit, pilot, "flight")
        await walk.until(walk.sees("● training"))
        for id in ("hold", "save", "sample"):
            await walk.take(id, walk.says(f"{id}: at step 301"))
        for id, words in (("park", "the memory is free"), ("stop", "the stage ends here")):
            await walk.take(id, walk.over(Confirm, words))
            await walk.press("enter")
            await walk.until(walk.says(f"{id}: at step 301"))
        assert source.asked == ["hold", "save", "sample", "park", "stop"]
        await walk.take("smoother", walk.sees("mean 0.95"))
        await walk.take("rougher", walk.sees("mean 0.9 "))
        await walk.take("next_case", walk.sees("case 2 of 2"))
        await walk.take("zoom", walk.sees("B step 300  raw"))
        await _chart(walk)
        await walk.take("back", walk.sees("newest report"))
        source.state = kit.a_state(state="parked")
        await walk.until(walk.sees("◌ parked"))
        await walk.take("resume", walk.says("a new engine goes on from stage_b-000200"))
        assert source.launched == 1
        source.state = kit.a_state(state="finished")
        await walk.until(walk.sees("e evaluates it   r reports on an image   w exports it"))
        sent: list[tuple[str, ...]] = []
        request.getfixturevalue("monkeypatch").setattr(
            "cockpit.screens.flight.screen.run_command", lambda _title, words, _post: sent.append(words)
        )
        await walk.take("evaluate", walk.sees("evaluation under way"))
        assert sent == [("evaluate", "night-run-3")]
        walk.app.screen.post_message(CommandEnded("evaluation", True, "BLEU-4  0.37\n"))
        await walk.until(walk.over(Reading, "evaluation of night-run-3", "BLEU-4  0.37"))
        await walk.back()
        await walk.take("report", walk.over(Prompt, "Image of a chest"))
        await walk.back()
        await walk.take("export", walk.over(Prompt, "Export to a new directory", "night-run-3-model"))
        await walk.back()
        await _common(walk)
    assert walk.left == []


async def _chart(walk: Walk) -> None:
    """Over the whole screen: 332 steps of stage A, 300 of B, the newest one under the crosshair."""

    def under() -> int:
        found = re.search(r"([AB]) step (\d+)(?:-\d+)?  raw", walk.kit.shown(walk.app))
        return int(found[2]) + (332 if found[1] == "B" else 0) if found else 0

    def extent() -> float:
        extent: float = walk.app.screen.query_one(ZoomChart).window.extent
        return extent

    await walk.take("chart.left", lambda: 600 < under() < 632)
    await walk.take("chart.right", lambda: under() == 632)
    await walk.take("chart.closer", lambda: extent() == 475)
    for id, steps in (("chart.earlier", (395, 316)), ("chart.later", (553, 632))):
        for step in steps:
            await walk.take(id, lambda step=step: abs(under() - step) < 5)
    await walk.take("chart.wider", lambda: extent() == 950)
    await walk.take("chart.first", lambda: under() == 1)
    await walk.take("chart.last", lambda: under() == 632)
    await walk.take("chart.scale", walk.sees("loss, log"))
    await walk.take("chart.metric", walk.sees("learning rate, log"))
    await walk.press("up", "up")
    await walk.until(lambda: extent() < 300)
    await walk.take("chart.whole", lambda: extent() == 950)


async def samples(kit: ModuleType, request: Request) -> None:
    run = request.getfixturevalue("run")
    async with kit.app_on_run(run).run_test(size=SIZE, notifications=True) as pilot:
        walk = Walk(kit, pilot, "samples")
        await pilot.press("2")
        await walk.until(walk.sees("15 cases", "worst first", "▀"))
        await walk.until(lambda: walk.app.screen.view.blank_text is not None)
        await walk.take("samples.blanked", walk.sees("−Normal"))
        await walk.press("escape")
        await _list(walk, "samples", "case", [f"s{number:02d}" for number in range(1, 16)])
        await walk.take("samples.next", walk.points("s02"))
        await walk.take("samples.previous", walk.points("s01"))
        await walk.refused("samples.previous", "this is the first case")
        await walk.take("samples.order", walk.sees("best first"))
        await walk.press("w", "w")
        await walk.take("samples.stage", walk.sees("◂ A 40 ▸"))
        await walk.take("samples.earlier", walk.sees("◂ A 20 ▸"))
        for id in ("samples.earlier", "samples.left"):
            await walk.refused(id, "this is the first checkpoint")
        await walk.take("samples.later", walk.sees("◂ A 40 ▸"))
        await walk.take("samples.left", walk.sees("◂ A 20 ▸"))
        await walk.take("samples.right", walk.sees("◂ A 40 ▸"))
        await walk.take("samples.label", walk.over(Choose, "Only cases with", "Fracture"))
        await walk.back()
        await walk.take("samples.search", walk.over(Prompt, "Find in the texts"))
        await walk.back()
        await walk.take("samples.read", walk.over(Reading, "prompt, as the model read it"))
        await walk.back()
        await walk.take("samples.path", walk.says("one.png"))
        await walk.take("samples.copy", walk.says("paste to see"))
        await walk.take("samples.film", walk.sees("zoom 1   window 256   level 128"))
        await walk.take("samples.closer", walk.sees("zoom 1.5"))
        await walk.take("samples.away", walk.sees("zoom 1 "))
        await walk.take("samples.invert", walk.sees("inverted"))
        await walk.take("samples.narrower", walk.sees("window 224"))
        await walk.take("samples.wider", walk.sees("window 256"))
        await walk.take("samples.brighter", walk.sees("level 112"))
        await walk.take("samples.darker", walk.sees("level 128"))
        await walk.take("back", walk.sees("said (generated)"))
        await _common(walk)
    assert walk.left == []


async def setup(kit: ModuleType, request: Request) -> None:
    checks = broken_setup(request.getfixturevalue("monkeypatch"), request.getfixturevalue("tmp_path"))
    app = kit.app_on(kit.FakeSource(kit.a_state()), make_check=checks)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        walk = Walk(kit, pilot, "setup")

        async def checked() -> None:
            await walk.until(lambda: app.setup.checked is not None and not app.setup.doing)
            await walk.until(lambda: walk.app.screen.view.state is app.setup)

        await pilot.press("3")
        await checked()
        await walk.until(walk.points("peft cannot"))
        await walk.take("setup.copy", walk.says("paste to see"))
        assert app.clipboard == "pip install peft"
        await _list(
            walk, "setup", "finding", ["peft cannot", *(f"well {number:02d}" for number in range(14))]
        )
        await walk.take("setup.read", walk.over(Reading, "it is too old"))
        await walk.back()
        await walk.take("setup.report", walk.over(Prompt, "Write the report to"))
        await walk.back()
        await walk.take("setup.search", walk.over(Prompt, "Only findings with"))
        await walk.back()
        await walk.until(lambda: walk.app.screen.view.base.directory is not None)
        await walk.take("setup.download", walk.over(Confirm, "llava-med-v1.5-mistral-7b (15 GB)"))
        await walk.back()
        await walk.take("setup.again", walk.sees("found at the second look"))
        await checked()
        await walk.take("setup.fix", walk.over(ConfirmFix, "pip install peft"))
        await walk.back("enter")
        await walk.until(walk.says("done; 1 still to fix"))
        await checked()
        await walk.take("setup.output", walk.sees("Collecting peft"))
        await walk.take("back", walk.points("peft cannot"))
        await walk.take("setup.undo", walk.over(Confirm, "These return as they were"))
        await walk.back("enter")
        await walk.until(walk.says("7 files are as they were"))
        await checked()
        await walk.take("setup.device", walk.sees("the device was tried"))
        await checked()
        await _common(walk)
    assert walk.left == []


async def data(kit: ModuleType, request: Request) -> None:
    run = request.getfixturevalue("run")
    async with kit.app_on_run(run).run_test(size=SIZE, notifications=True) as pilot:
        walk = Walk(kit, pilot, "data")
        await pilot.press("4")
        await walk.until(walk.sees("1 missing, m lists them"))
        await walk.take("data.missing", walk.over(Reading, "gone.png"))
        await walk.back()
        await walk.take("data.check", walk.sees("1 damaged"))
        await walk.take("data.browse", walk.points("s00-a"))
        await _list(walk, "data", "sample", [f"s{number:02d}-a" for number in range(30)])
        await walk.take("data.read", walk.over(Reading, "answer (supervised)"))
        await walk.back()
        await walk.take("data.path", walk.says("gone.png"))
        await walk.take("data.part", walk.over(Choose, "stage A val"))
        await walk.back()
        await walk.take("data.search", walk.over(Prompt, "Only samples with"))
        await walk.back()
        await walk.take("back", walk.sees("inventory"))
        await _common(walk)
    assert walk.left == []


async def runs(kit: ModuleType, request: Request) -> None:
    crowd = a_crowd(request.getfixturevalue("run"), request.getfixturevalue("record"))
    launched: list[str] = []
    request.getfixturevalue("monkeypatch").setattr(
        "engine.runs.process.launch", lambda paths, _argv: launched.append(paths.name)
    )
    app = kit.app_on_run(crowd[0])
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        walk = Walk(kit, pilot, "runs")
        await pilot.press("5")
        await walk.until(walk.sees("a ━━ first", *(paths.name for paths in crowd[:8])))
        await _list(walk, "runs", "run", [paths.name for paths in crowd])
        await walk.take("runs.mark", walk.points("a first"))
        await walk.take("runs.scale", walk.sees("loss, log"))
        await walk.take("runs.metric", walk.sees("samples/s, log"))
        await walk.press("j")
        await walk.until(walk.points("second"))
        await walk.take("runs.compare", walk.over(Reading, "lora.rank"))
        await walk.back()
        await walk.take("runs.resume", walk.says("second: a new engine goes on"))
        assert launched == ["second"]
        await walk.take("back", walk.sees("space marks runs"))
        await walk.take("runs.rename", walk.over(Prompt, "Another name for second"))
        await walk.back()
        for _ in range(2):
            await walk.take("runs.delete", walk.over(Confirm, "cannot be brought back"))
            await walk.back()
        assert all(paths.is_run() for paths in crowd)
        await walk.take("runs.open", lambda: app.paths == crowd[1] and walk.sees("newest report")())
        await walk.press("5")
        await walk.until(walk.points("second"))
        await _common(walk)
    assert walk.left == []


async def log(kit: ModuleType, request: Request) -> None:
    run = request.getfixturevalue("run")
    async with kit.app_on_run(run).run_test(size=SIZE, notifications=True) as pilot:
        walk = Walk(kit, pilot, "log")
        await pilot.press("6")
        await walk.until(walk.sees("125 lines", "follows"))
        for id in ("log.down", "log.page_down"):
            await walk.refused(id, "this is the last line")
        for line in (124, 123):
            await walk.take("log.up", walk.sees(f"line {line} "))
        await walk.take("log.down", walk.sees("line 124 "))
        await walk.take("log.down", walk.sees("follows"))
        for _ in range(2):
            await walk.take("log.page_up", walk.points("INFO    step 2"))
            await walk.take("log.page_down", walk.sees("follows"))
        for _ in range(2):
            await walk.take("log.first", walk.points("=== attempt 1"))
            for id in ("log.up", "log.page_up", "log.first"):
                await walk.refused(id, "this is the first line")
            await walk.take("log.follow", walk.sees("follows"))
        await walk.take("log.previous_error", walk.points("RuntimeError"))
        await walk.press("N")
        await walk.take("log.next_error", walk.points("RuntimeError"))
        await walk.take("log.read", walk.over(Reading, "RuntimeError: out of memory"))
        await walk.back()
        await walk.take("log.search", walk.over(Prompt, "Only lines with"))
        await walk.back()
        await walk.take("log.level", walk.sees("warnings and errors"))
        await walk.take("back", walk.sees("training.log   125 lines"))
        await _common(walk)
    assert walk.left == []


async def alerts(kit: ModuleType, _request: Request) -> None:
    source = kit.FakeSource(kit.a_state())
    source.watch.alerts = tuple(
        Alert(f"event-{number}", 900.0 + number, "warning", "alert", f"trouble {number}")
        for number in range(4)
    )
    async with kit.app_on(source).run_test(size=SIZE) as pilot:
        walk = Walk(kit, pilot, "alerts")
        await walk.until(walk.sees("⚠ 4 alerts"))
        await pilot.press("a")
        await walk.until(walk.over(AlertList, "trouble 3"))
        await walk.refused("alerts.up", "this is the first alert")
        for number in (2, 1):
            await walk.take("alerts.down", walk.sees(f"trouble {number}"))
        for number in (2, 3):
            await walk.take("alerts.up", walk.sees(f"trouble {number}"))
        await walk.take(
            "alerts.acknowledge", lambda: [one.open for one in source.watch.alerts] == [True] * 3 + [False]
        )
        await walk.refused("alerts.acknowledge", "this one is acknowledged")
        await walk.press("j")
        await walk.take("alerts.acknowledge", lambda: sum(one.open for one in source.watch.alerts) == 2)
        await walk.take("alerts.acknowledge_all", lambda: not any(one.open for one in source.watch.alerts))
    assert walk.left == []


async def _list(walk: Walk, prefix: str, noun: str, lines: list[str]) -> None:
    """All that moves in a list of more than ten lines of which the first is selected, and its two ends."""
    ways = (("down", "up", 1), ("page_down", "page_up", 10), ("last", "first", len(lines) - 1))
    for there, back, place in ways:
        ids = {f"{prefix}.{there}", f"{prefix}.{back}"}
        while any(id in ids for id, _ in walk.left):
            await walk.take(f"{prefix}.{there}", walk.points(lines[place]))
            await walk.take(f"{prefix}.{back}", walk.points(lines[0]))
    for _, back, _ in ways:
        await walk.refused(f"{prefix}.{back}", f"this is the first {noun}")
    await walk.press("end")
    await walk.until(walk.points(lines[-1]))
    for there, _, _ in ways:
        await walk.refused(f"{prefix}.{there}", f"this is the last {noun}")
    walk.app.clear_notifications()
    await walk.press("home")
    await walk.until(walk.points(lines[0]))


async def _common(walk: Walk) -> None:
    """What every screen about a run can do, in the end to leave it."""
    await walk.take("help", walk.over(Help))
    await walk.back()
    await walk.take("alerts", walk.over(AlertList))
    await walk.back()
    await walk.leave()


WALKS: dict[str, Callable[[ModuleType, Request], Awaitable[Any]]] = {
    "start": start,
    "flight": flight,
    "samples": samples,
    "setup": setup,
    "data": data,
    "runs": runs,
    "log": log,
    "alerts": alerts,
}
