"""The drawn chart: any data, any size, and still where nothing changed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.screens.flight.loss_chart import ChartData, chart_frame
from cockpit.toolkit.charts import plot
from cockpit.toolkit.charts.axes import y_axis
from cockpit.toolkit.charts.chart import FURNITURE, axis_over
from cockpit.toolkit.charts.curves import StageCurve, clipped, needed_range
from cockpit.toolkit.glyphs import ASCII, UNICODE
from cockpit.toolkit.lines import Frame, width_of
from engine.runs.store.rows import Bucket


def chart(values: list[float | None], width: int = 60, height: int = 12, glyphs=UNICODE, bar=None) -> Frame:
    raw = tuple(Bucket(step, step, value, value, value) for step, value in enumerate(values, start=1))
    stage_b = StageCurve("stage_b", len(values) + 1, 50, 1.5)
    data = ChartData(
        (StageCurve("stage_a", 0, len(values) + 1, bar, raw, ((1, 1.0), (2, math.nan))), stage_b)
    )
    axis = y_axis(needed_range(data.curves, 0.9), None, max(1, height - FURNITURE))
    return chart_frame(data, axis, width, height, glyphs)


def text(frame: Frame) -> list[str]:
    return ["".join(part for part, _ in line) for line in frame]


DATA = {
    "empty": [],
    "one": [2.0],
    "constant": [1.0] * 40,
    "zero": [0.0] * 5,
    "nan": [1.0, math.nan, 1.0],
    "all nan": [math.nan] * 9,
    "none": [None, 1.0],
    "inf": [1.0, math.inf, -math.inf, 2.0],
    "huge": [1.0, 1e300, 2.0],
    "tiny": [1e-9, 2e-9],
    "negative": [-3.0, -1.0],
    "learning rate": [1e-4, 9e-5, 8e-5],
    "many": [5.0 / (1 + step / 1000) for step in range(20_000)],
}


@pytest.mark.parametrize("size", [(1, 1), (6, 3), (0, 0), (11, 4), (80, 10), (200, 60)])
@pytest.mark.parametrize("values", DATA.values(), ids=DATA.keys())
def test_any_data_draws_at_any_size(values: list[float | None], size: tuple[int, int]) -> None:
    frame = chart(values, *size)
    assert len(frame) <= size[1]
    if size[0] > 40:
        assert all(width_of(line) <= size[0] for line in frame)


def test_a_gap_stays_empty() -> None:
    """Between two stretches nothing is drawn."""
    row = text(chart([1.0] * 20 + [math.nan] * 20 + [1.0] * 20, width=80, height=9))[1:]
    drawn = [line for line in row if any("\u2800" < char <= "\u28ff" for char in line)]
    middle = drawn[0][7 + 15 : 7 + 25]
    assert not any("\u2800" < char <= "\u28ff" for char in middle)


def test_a_new_step_changes_few_cells() -> None:
    """The axes stay, so the picture up to now stays."""
    values: list[float | None] = [4.0 - step / 200 for step in range(400)]
    frames = []
    axis = None
    for count in (300, 301):
        raw = tuple(Bucket(s, s, v, v, v) for s, v in enumerate(values[:count], start=1))
        data = ChartData((StageCurve("stage_a", 0, 800, 2.0, raw), StageCurve("stage_b", 800, 800, 1.5)))
        axis = y_axis(needed_range(data.curves, 0.9), axis, 17)
        frames.append(text(chart_frame(data, axis, 120, 20, UNICODE)))
    changed = sum(a != b for old, new in zip(*frames, strict=True) for a, b in zip(old, new, strict=True))
    assert changed <= 12


def test_it_says_what_is_what() -> None:
    frame = chart([2.0] * 30, width=90)
    lines = text(frame)
    assert "raw" in lines[0] and "validation" in lines[0] and "smooth" not in lines[0]
    assert lines[-1].split()[0] == "A" and "B" in lines[-1]
    assert UNICODE.validation_sample in lines[0]
    assert any("│" in line[20:] for line in lines[1:-2])


def test_the_bar_is_a_dotted_line() -> None:
    assert any("┄┄┄" in line for line in text(chart([3.0] * 10, bar=2.0))[1:])


def test_ascii_draws_with_ascii_only() -> None:
    lines = text(chart([3.0, 2.0, 1.0] * 10, glyphs=ASCII, bar=2.0))
    assert all(ord(char) < 128 for line in lines for char in line)


def test_waiting_words_stand_in_the_empty_chart() -> None:
    data = ChartData((), "… preparing   phantom 120/900")
    lines = text(chart_frame(data, y_axis(None, None, 9), 60, 12, UNICODE))
    assert any("phantom 120/900" in line for line in lines)


def bucket(step: int, value: float) -> Bucket:
    return Bucket(step, step, value, value, value)


def settled(steps: int = 600) -> StageCurve:
    """From 5.5 down to where all of interest lies; one validation point."""
    raw = tuple(
        bucket(step, 0.45 + 0.1 * math.sin(step * 12.9) + 5.0 * math.exp(-step / (0.03 * steps)))
        for step in range(1, steps + 1)
    )
    return StageCurve("stage_a", 0, steps, 2.0, raw, ((steps // 2, 0.32),))


@pytest.mark.parametrize("log", [False, True])
def test_the_first_steps_do_not_rule_the_axis(log: bool) -> None:
    """What lies beyond it has a mark at the edge, the bar a word."""
    axis = axis_over([settled()], 0.9, log, None, 9)
    top = 10**axis.high if log else axis.high
    assert 0.55 < top < 1.5
    lines = text(chart_frame(ChartData((settled(),)), axis, 80, 12, UNICODE))
    assert "▴" in lines[1][7:12] and "▴ bar 2" in lines[1]
    assert not any("▴" in line for line in lines[2:])
    ascii_lines = text(chart_frame(ChartData((settled(),)), axis, 80, 12, ASCII))
    assert "^" in ascii_lines[1] and all(line.isascii() for line in ascii_lines)


def test_a_line_beyond_the_axis_does_not_run_along_its_edge() -> None:
    inside, above, below = clipped([[(0.0, 5.0), (2.0, 5.0), (3.0, 1.0), (4.0, -1.0)]], 0.0, 3.0)
    assert inside == [[(2.5, 3.0), (3.0, 1.0), (3.5, 0.0)]]
    assert (above, below) == ([0.0, 2.0], [4.0])
    assert clipped([[(0.0, 4.0), (1.0, -1.0)]], 0.0, 3.0)[0] == [[(0.2, 3.0), (0.8, 0.0)]]


@given(st.floats(0.0, 5.0), st.integers(2, 30))
def test_a_validation_point_lies_on_its_dot(value: float, rows: int) -> None:
    """Not on the nearest row: its middle is off by half a dot at most."""
    canvas = plot.Canvas(60, rows, 0.0, 100.0, axis_over([], 0.9, False, None, rows))
    value = min(value, canvas.y.high)
    lit = [
        4 * row + down
        for row, line in enumerate(plot.diamonds([(50.0, value)], canvas))
        for char in line
        for down in range(4)
        if (ord(char) - 0x2800) & (0x09, 0x12, 0x24, 0xC0)[down]
    ]
    dots = 4 * rows - 1
    middle = (max(set(lit), key=lit.count)) if 0 < value < canvas.y.high else None
    if middle is not None:
        assert abs((dots - middle) / dots * canvas.y.high - value) <= 1.01 * canvas.y.high / dots


@pytest.mark.parametrize("rows", range(2, 30))
@pytest.mark.parametrize("log", [False, True])
def test_one_label_is_never_all(rows: int, log: bool) -> None:
    for low, high in ((1.6e-6, 1.6e-6), (0.2, 0.7), (0.0, 88.0), (0.57, 414.0), (1.0, 1.1), (142.6, 143.2)):
        curve = StageCurve("stage_a", 0, 9, None, (bucket(1, low), bucket(2, high)))
        axis = axis_over([curve], 0.0, log, None, rows)
        assert len(axis.labels()) >= 2
        frame = text(chart_frame(ChartData((curve,), log=log), axis, 60, rows + FURNITURE, UNICODE))
        assert len(frame[-1].split()) >= 2
