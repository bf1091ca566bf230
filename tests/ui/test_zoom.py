"""The full-screen chart: its window, its axis, what stands under the crosshair, and every key of it."""

from __future__ import annotations

import math
from dataclasses import replace
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from cockpit.app import CockpitApp
from cockpit.screens.flight.actions import CHART_ACTIONS
from cockpit.screens.flight.screen import Flight
from cockpit.screens.flight.series import HISTORY, zoomed
from cockpit.screens.flight.source import RunSource
from cockpit.screens.flight.state import StageView, Trend, Wanted, Zoomed
from cockpit.screens.flight.trends import column_values, heights, trend_lines, trends_frame
from cockpit.screens.flight.window import Window
from cockpit.screens.flight.zoom_chart import LOSS, Look, ZoomChart, axis_for, values_at, zoom_frame
from cockpit.toolkit.charts.axes import LogAxis, log_axis, y_axis
from cockpit.toolkit.charts.curves import StageCurve, needed_range
from cockpit.toolkit.charts.plot import Canvas, draw, stamp
from cockpit.toolkit.glyphs import ASCII, UNICODE
from cockpit.toolkit.lines import width_of
from cockpit.views.metrics import Metric
from engine.runs.store.opening import RunReader
from engine.runs.store.rows import Bucket

MOVES = st.sampled_from(["scale", "pan", "point", "start", "end", "grow", "whole"])


def moved(window: Window, how: str, by: float) -> Window:
    return {
        "scale": lambda: window.scaled(2.0**by),
        "pan": lambda: window.panned(by),
        "point": lambda: window.pointed(round(10 * by), 80),
        "start": window.at_start,
        "end": lambda: window.at_end(window.total * 0.7),
        "grow": lambda: window.grown(window.total * 0.8),
        "whole": lambda: Window.whole(window.total, window.cursor),
    }[how]()


@given(st.integers(1, 2_000_000), st.lists(st.tuples(MOVES, st.floats(-4, 4)), max_size=12))
def test_the_window_never_leaves_the_steps(total: int, moves: list[tuple[str, float]]) -> None:
    window = Window.whole(float(total), total / 2)
    for how, by in moves:
        window = moved(window, how, by)
        slack = 1e-6 * total
        assert -slack <= window.first < window.last <= total + slack
        assert window.first - slack <= window.cursor <= window.last + slack


def test_zooming_keeps_the_crosshair_in_its_place() -> None:
    window = replace(Window.whole(1000.0, 0.0), cursor=250.0).scaled(0.5)
    assert (window.first, window.last, window.cursor) == (125.0, 625.0, 250.0)
    assert window.scaled(2.0) == Window.whole(1000.0, 250.0)
    assert window.scaled(1e-9).extent == 10.0


def test_the_crosshair_takes_the_window_along_at_its_edge() -> None:
    window = Window(1000.0, 100.0, 200.0, 200.0)
    assert window.pointed(1, 101).last == 201.0
    assert window.panned(0.5) == Window(1000.0, 150.0, 250.0, 250.0)


def test_what_follows_moves_on_only_when_it_must() -> None:
    window = Window(1000.0, 0.0, 100.0, 0.0).at_end(50.0)
    assert window.grown(99.0) == replace(window, cursor=99.0)
    later = window.grown(101.0)
    assert (later.first, later.last, later.cursor, later.follows) == (26.0, 126.0, 101.0, True)
    assert not later.panned(-0.5).follows
    assert Window(1000.0, 0.0, 100.0, 50.0).grown(500.0).first == 0.0


def test_a_longer_route_keeps_all_of_it_in_sight() -> None:
    assert Window.whole(100.0, 20.0).grown(30.0, 400.0) == Window.whole(400.0, 20.0)
    assert Window(100.0, 10.0, 30.0, 20.0).grown(30.0, 400.0) == Window(400.0, 10.0, 30.0, 20.0)


@given(st.floats(1e-9, 1e9), st.floats(1.0, 1e5), st.integers(3, 60))
def test_a_logarithmic_axis_holds_what_is_above_zero(low: float, times: float, rows: int) -> None:
    axis = log_axis((low, low * times), None, rows)
    assert axis.low <= math.log10(low) + 1e-9 and math.log10(low * times) <= axis.high + 1e-9
    assert axis.labels() and all(0 <= row < rows for row in axis.labels())
    assert log_axis((low, low * times), axis, rows) is axis


def test_ticks_of_a_logarithmic_axis_lie_where_their_values_do() -> None:
    axis = log_axis((0.1, 10.0), None, 21)
    assert axis.labels()[0] == "0.1" and axis.labels()[10] == "1" and axis.labels()[20] == "10"
    assert axis.place(0.0) is None and axis.place(-1.0) is None and axis.place(None) is None


def curve(values: list[float], **named: object) -> StageCurve:
    raw = tuple(Bucket(step, step, value, value, value) for step, value in enumerate(values, start=1))
    return StageCurve("stage_a", 0, max(10, len(values)), None, raw, **named)  # type: ignore[arg-type]


def test_only_values_above_zero_make_a_logarithmic_range() -> None:
    assert needed_range([curve([0.0, -1.0, 0.5, 2.0] * 5)], 0.0, positive=True) == (0.5, 2.0)
    assert needed_range([curve([0.0, -1.0])], 0.0, positive=True) is None


DATA = {
    "empty": [],
    "one": [2.0],
    "zero": [0.0] * 20,
    "nan": [1.0, math.nan, math.inf, 1e300],
    "negative": [-3.0, -1.0],
    "tiny": [1e-4, 9e-5] * 40,
    "usual": [4.0 / (1 + step / 50) for step in range(3000)],
}


@pytest.mark.parametrize("size", [(1, 1), (0, 0), (12, 5), (80, 20), (200, 55)])
@pytest.mark.parametrize("values", DATA.values(), ids=DATA.keys())
@pytest.mark.parametrize("log", [False, True])
def test_any_data_draws_at_any_size(values: list[float], size: tuple[int, int], log: bool) -> None:
    data = Zoomed("train/loss", (curve(values, validation=((1, 1.0), (2, math.nan))),))
    for window in (Window.whole(10.0, 3.0), Window(3000.0, 1000.0, 1010.0, 1005.0)):
        look = Look(LOSS, window, 0.9, log)
        axis = axis_for(data, look, None, max(1, size[1] - 3))
        for glyphs in (UNICODE, ASCII):
            frame = zoom_frame(data, look, axis, *size, glyphs)
            assert len(frame) <= size[1]
            if size[0] >= 80:
                assert all(width_of(line) <= size[0] for line in frame)
            if glyphs is ASCII:
                assert all(ord(char) < 128 for line in frame for text, _ in line for char in text)


def test_single_marks_lie_where_the_curves_do() -> None:
    canvas = Canvas(70, 17, 100.0, 350.0, y_axis((0.0, 4.0), None, 17))
    for x, y in ((100.0, 0.0), (350.0, 4.0), (171.3, 2.22), (333.3, 0.49), (101.8, 3.9)):
        assert stamp([(x, y)], canvas, "o") == draw([[(x, y), (x, y)]], canvas, "o")


def test_under_the_crosshair_are_the_nearest_values() -> None:
    stage = StageCurve(
        "stage_b",
        100,
        50,
        None,
        (Bucket(1, 4, 1.0, 3.0, 2.0), Bucket(5, 8, 4.0, 4.0, 4.0)),
        ((3, 9.0), (7, 8.0)),
    )
    first, second = values_at([stage], 101.0, 0.0), values_at([stage], 149.0, 0.0)
    assert first and (first.step_lo, first.step_hi, first.low, first.high, first.mean) == (
        1,
        4,
        1.0,
        3.0,
        2.0,
    )
    assert first.validation == (3, 9.0)
    assert second and second.mean == 4.0 and second.validation == (7, 8.0)
    assert values_at([], 3.0, 0.0) is None


def test_a_part_is_read_with_what_its_mean_remembers(record) -> None:
    stages = (
        StageView("stage_a", "", 40, 40, 1, None, 2.0, "done"),
        StageView("stage_b", "", 100, 50, 1, None, 1.5, "now"),
    )
    with RunReader(record()) as reader:
        near = zoomed(reader, stages, Wanted("train/loss", 60.0, 70.0, 400))
        assert near.curves[1].raw[-1].step_hi == 30 and near.curves[1].bar == 1.5
        assert near.curves[0].raw[-1].step_hi == 40, f"within {HISTORY} steps before"
        rate = zoomed(reader, stages, Wanted("train/lr", 0.0, 140.0, 10))
        assert len(rate.curves[1].raw) <= 10 and rate.curves[1].bar is None
        assert rate.curves[1].validation == ()
        assert zoomed(reader, stages, Wanted("nothing", 0.0, 140.0, 10)).curves[0].raw == ()


def test_the_source_reads_a_part_only_while_it_is_wanted(record) -> None:
    source = RunSource(record(), pictures=False)
    assert source.read().zoomed is None
    source.look_at(Wanted("train/lr", 0.0, 20.0, 40))
    part = source.read().zoomed
    assert part is not None and part.tag == "train/lr" and part.curves[0].raw[-1].step_hi == 20
    assert source.read().zoomed is part
    source.look_at(None)
    assert source.read().zoomed is None
    source.close()


def test_small_charts_of_what_was_recorded(record) -> None:
    (trend,) = RunSource(record(), pictures=False).read().trends
    assert trend.metric.tag == "train/lr" and trend.newest == 1e-4
    assert [len(stage.raw) for stage in trend.curves] == [40, 50]


def test_columns_of_a_small_chart() -> None:
    stages = [curve([1.0, 3.0, math.nan, 2.0, 8.0, 4.0]), StageCurve("stage_b", 10, 10, None)]
    assert column_values(stages, 5, peaks=False) == [2.0, pytest.approx(14 / 3), None, None, None]
    assert column_values(stages, 5, peaks=True)[:2] == [3.0, 8.0]
    assert column_values([], 3, peaks=False) == [None] * 3


def test_a_first_spike_does_not_rule_a_small_chart() -> None:
    assert heights([900.0, *([1.0, 2.0] * 9)], 1, UNICODE) == ["▴" + "▄█" * 9]


def test_bars_stand_on_zero_under_a_round_number() -> None:
    assert heights([0.0, 5.0, 10.0, None], 1, UNICODE) == ["▁▄█ "]
    assert heights([10.0, 5.0], 2, UNICODE) == ["█ ", "██"]
    assert heights([None], 1, ASCII) == [" "] and heights([0.0], 1, ASCII) == ["."]


@pytest.mark.parametrize("size", [(1, 1), (10, 5), (40, 5), (60, 13)])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_small_charts_draw_at_every_size(kit: ModuleType, size: tuple[int, int], glyphs) -> None:
    frame = trends_frame(kit.a_state(), *size, glyphs)
    assert 0 < len(frame) <= size[1]
    if size[0] >= 40:
        assert all(width_of(line) <= size[0] for line in frame)
        shown = "".join(text for line in frame for text, _ in line)
        assert "lr" in shown and "9.1e-05" in shown and "gradient" in shown
        if glyphs is ASCII:
            assert shown.isascii()


def test_a_new_step_moves_one_column_of_a_small_chart() -> None:
    def bars(steps: int) -> str:
        stage = StageCurve("stage_a", 0, 1000, None, curve([1.0 + step % 3 for step in range(steps)]).raw)
        return trend_lines(Trend(Metric("train/lr", "lr"), (stage,), 1.0), 60, 1, UNICODE)[0][1][0]

    before, after = bars(400), bars(401)
    assert sum(a != b for a, b in zip(before, after, strict=True)) <= 1


def test_a_series_that_is_no_number_now_says_so() -> None:
    line = trend_lines(Trend(Metric("train/lr", "lr"), (curve([math.nan]),), None), 40, 1, UNICODE)[0]
    assert line[-1][0].strip() == "nan"


# --- in the app -----------------------------------------------------------------------------------------------


def chart(app: CockpitApp) -> ZoomChart:
    return next(screen for screen in app.screen_stack if isinstance(screen, Flight)).query_one(ZoomChart)


async def opened(kit: ModuleType, pilot: Pilot[None], app: CockpitApp) -> None:
    await kit.until(pilot, lambda: "● training" in kit.shown(app))
    await pilot.press("z")
    await kit.until(pilot, lambda: "B step 300" in kit.shown(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_chart_takes_the_screen_and_gives_it_back(kit: ModuleType, size: tuple[int, int]) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test(size=size) as pilot:
        await opened(kit, pilot, app)
        await kit.until(pilot, lambda: source.wanted is not None)
        assert chart(app).size.height > size[1] - 10 and "newest report" not in kit.shown(app)
        assert "esc close  left right crosshair" in kit.shown(app)
        for key in ("z", "z", "escape"):
            await pilot.press(key)
            await pilot.pause()
        await kit.until(pilot, lambda: "newest report" in kit.shown(app) and source.wanted is None)
        await pilot.press("escape")
        await kit.until(pilot, lambda: any("nothing is open here" in words for words in kit.said(app)))


async def test_every_key_of_the_chart(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(kit, pilot, app)
        total = float(kit.STEPS_A + kit.STEPS_B)
        assert chart(app).window == Window.whole(total, kit.STEPS_A + 300.0)
        await pilot.press("up", "up")
        assert chart(app).window.extent == total / 4
        await pilot.press("down")
        assert chart(app).window.extent == total / 2
        before = chart(app).window
        await pilot.press("left", "left", "right")
        assert before.cursor - before.extent / 50 < chart(app).window.cursor < before.cursor
        await pilot.press("left_square_bracket")
        assert chart(app).window.first == before.first - before.extent / 2
        await pilot.press("right_square_bracket")
        assert chart(app).window.first == before.first
        await pilot.press("home")
        assert (chart(app).window.first, chart(app).window.cursor) == (0.0, 0.0)
        await kit.until(pilot, lambda: "A step 1 " in kit.shown(app))
        await pilot.press("end")
        assert chart(app).window.follows
        await pilot.press("up")
        await kit.until(pilot, lambda: source.wanted and source.wanted.first == chart(app).window.first)
        await pilot.press("end", "0")
        assert chart(app).window.extent == total
        await pilot.press("l")
        await kit.until(pilot, lambda: "loss, log" in kit.shown(app))
        assert isinstance(chart(app)._axis, LogAxis)
        await pilot.press("l", "plus")
        await kit.until(pilot, lambda: "mean 0.95" in kit.shown(app) and "loss, log" not in kit.shown(app))


async def test_m_walks_through_the_series(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(kit, pilot, app)
        for name, tag in (
            ("learning rate", "train/lr"),
            ("gradient norm", "train/grad_norm"),
            ("loss", "train/loss"),
        ):
            await pilot.press("m")
            await kit.until(pilot, lambda name=name: f" {name}  " in kit.shown(app))
            await kit.until(pilot, lambda tag=tag: source.wanted is not None and source.wanted.tag == tag)


async def test_the_newest_step_is_followed(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state(300))
    app = kit.app_on(source)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(kit, pilot, app)
        await pilot.press("end")
        source.state = kit.a_state(340)
        await kit.until(pilot, lambda: "B step 340" in kit.shown(app))


async def test_the_engine_is_steered_from_the_chart_too(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(kit, pilot, app)
        await pilot.press("space")
        await kit.until(pilot, lambda: source.asked == ["hold"])


async def test_series_and_scale_work_on_flight_and_stay(kit: ModuleType) -> None:
    """In the zoom, back on Flight, and where the run is opened anew."""
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test(size=(120, 40)) as pilot:
        await kit.until(pilot, lambda: "● training" in kit.shown(app))
        await pilot.press("l")
        await kit.until(pilot, lambda: " loss, log " in kit.shown(app))
        await pilot.press("m")
        await kit.until(pilot, lambda: " learning rate, log " in kit.shown(app))
        await kit.until(pilot, lambda: source.wanted is not None and source.wanted.tag == "train/lr")
        await pilot.press("z")
        await kit.until(pilot, lambda: "B step 300" in kit.shown(app))
        assert " learning rate, log " in kit.shown(app)
        await pilot.press("l", "z")
        await kit.until(pilot, lambda: "newest report" in kit.shown(app))
        assert " learning rate  " in kit.shown(app)
        app.open_run(app.paths)
        await kit.until(pilot, lambda: " learning rate  " in kit.shown(app) and source.wanted is not None)


async def test_keys_of_the_chart_say_that_it_is_not_open(kit: ModuleType) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(120, 40)) as pilot:
        await kit.until(pilot, lambda: "● training" in kit.shown(app))
        for action in CHART_ACTIONS:
            app.clear_notifications()
            await pilot.press(action.key.split(",")[0])
            await kit.until(pilot, lambda: kit.said(app) == ["z opens the chart first"])


async def test_help_begins_with_the_keys_of_the_chart(kit: ModuleType) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(kit, pilot, app)
        await pilot.press("question_mark")
        await kit.until(pilot, lambda: "the values under it" in kit.shown(app))
