"""The drawn chart: any data, any size, and still where nothing changed."""

import math

import pytest

from cockpit.widgets.axes import y_axis
from cockpit.widgets.chart import FURNITURE
from cockpit.widgets.curves import StageCurve, needed_range
from cockpit.widgets.glyphs import ASCII, UNICODE
from cockpit.widgets.lines import Frame, width_of
from cockpit.widgets.loss_chart import ChartData, chart_frame
from engine.runs.rows import Bucket


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
    row = text(chart([1.0] * 20 + [math.nan] * 20 + [1.0] * 20, width=80, height=9))
    drawn = [line for line in row if any("\u2800" < char <= "\u28ff" for char in line)]
    middle = drawn[0][7 + 20 : 7 + 28]
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
    assert any("◆" in line for line in lines[1:])
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
