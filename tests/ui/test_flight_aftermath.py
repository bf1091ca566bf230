"""A run that ended badly: Flight tells why, what mends it and what is safe, and keeps what it showed before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest

from cockpit.screens.flight.aftermath_panel import aftermath_frame
from cockpit.screens.flight.state import FlightState
from cockpit.toolkit.glyphs import ASCII, UNICODE
from cockpit.toolkit.lines import Frame, width_of
from engine.runs.aftermath import Aftermath
from engine.runs.layout import RunPaths
from engine.runs.status import NO_NOTICE

OUT_OF_MEMORY = Aftermath(
    reason="the memory that the GPU may use was not enough",
    hint="a smaller batch_size with more accumulation takes less and trains the same; "
    "`cxr-cockpit plan CONFIG` tells it in advance",
    last_lines=("RuntimeError: MPS backend out of memory",),
    safe="checkpoint stage_b-000200, step 200 of 618; the 41 steps after it are trained again",
    command="cxr-cockpit resume night-run-3",
)
SAID = "RuntimeError: MPS backend out of memory (MPS allocated: 17.2 GB, max allowed: 18.1 GB)"


def text(frame: Frame) -> str:
    return "\n".join("".join(part for part, _ in line) for line in frame)


def crashed(kit: ModuleType, **changes: object) -> FlightState:
    state: FlightState = kit.a_state(state="crashed", error=SAID, aftermath=OUT_OF_MEMORY)
    return replace(state, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)])
async def test_it_is_told_beside_chart_and_report(kit: ModuleType, size: tuple[int, int]) -> None:
    app = kit.app_on(kit.FakeSource(crashed(kit)))
    async with app.run_test(size=size) as pilot:
        await kit.until(pilot, lambda: "the memory that the GPU may use" in kit.shown(app))
        shown = kit.shown(app)
        for words in ("✖ crashed", "RuntimeError: MPS", "a smaller batch_size", "step 200 of 618"):
            assert words in shown
        for words in ("s goes on from stage_b-000200", "step 300 / 618", "Moderate right", "raw"):
            assert words in shown
        if size[0] >= 80:
            assert "`cxr-cockpit plan CONFIG` tells it in advance" in " ".join(shown.split())
        assert app.screen.query_one("#chart").size.height >= 4


async def test_it_goes_when_an_engine_lives_again_and_while_the_chart_is_open(kit: ModuleType) -> None:
    source = kit.FakeSource(crashed(kit))
    app = kit.app_on(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await kit.until(pilot, lambda: " why " in kit.shown(app))
        await pilot.press("z")
        await kit.until(pilot, lambda: " why " not in kit.shown(app) and "esc close" in kit.shown(app))
        await pilot.press("escape")
        await kit.until(pilot, lambda: " why " in kit.shown(app))
        await pilot.resize_terminal(120, 40)
        await kit.until(pilot, lambda: "stage B" in kit.shown(app) and " why " in kit.shown(app))
        source.state = kit.a_state()
        await kit.until(pilot, lambda: "● training" in kit.shown(app))
        assert " why " not in kit.shown(app) and "memory" in kit.shown(app)


def test_a_crash_is_read_from_the_run_directory(record: Callable[..., RunPaths]) -> None:
    from cockpit.screens.flight.source import RunSource

    source = RunSource(record(end=None), pictures=False)  # nobody holds its lock
    state = source.read()
    source.close()
    assert state.state == "crashed" and state.aftermath is not None
    assert "it ended without a message" in state.aftermath.reason
    assert "goes on" not in text(aftermath_frame(state, 80, 9, UNICODE))


def test_less_room_makes_its_parts_shorter(kit: ModuleType) -> None:
    for height, rows in ((9, 7), (6, 6), (5, 5), (4, 4), (1, 4)):
        frame = aftermath_frame(crashed(kit), 80, height, UNICODE)
        assert len(frame) == rows
        assert all(width_of(line) <= 80 for line in frame)
    assert aftermath_frame(crashed(kit, aftermath=None), 80, 9, UNICODE) == []


def test_without_a_word_of_its_own_the_last_line_of_the_log_stands_for_it(kit: ModuleType) -> None:
    silent = f"{NO_NOTICE} (last state: training); last line of training.log: RuntimeError: MPS backend"
    shown = text(aftermath_frame(crashed(kit, error=silent), 80, 9, UNICODE))
    assert " log     RuntimeError: MPS backend out of memory" in shown and NO_NOTICE not in shown
    wordless = crashed(kit, error=NO_NOTICE, aftermath=replace(OUT_OF_MEMORY, last_lines=()))
    assert f" error   {NO_NOTICE}" in text(aftermath_frame(wordless, 80, 9, UNICODE))


def test_what_is_said_twice_is_told_once_and_nothing_is_obeyed(kit: ModuleType) -> None:
    same = replace(OUT_OF_MEMORY, reason=SAID, hint="")
    assert text(aftermath_frame(crashed(kit, aftermath=same), 200, 9, UNICODE)).count(SAID) == 1
    hostile = crashed(kit, error="\x1b[2J[red]\x07" * 90)
    shown = text(aftermath_frame(hostile, 80, 9, ASCII))
    assert "\x1b" not in shown and "\x07" not in shown and "[red]" in shown
