"""Curves through plotext: on dots of its own choosing, and not drawn twice."""

from __future__ import annotations

import plotext
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.toolkit.charts import plot
from cockpit.toolkit.charts.axes import y_axis
from cockpit.toolkit.charts.plot import Canvas, draw

places = st.tuples(st.floats(0, 1000, width=32), st.floats(-1, 6, width=32))


def straight(stretches: list[list[tuple[float, float]]], canvas: Canvas, marker: str) -> list[str]:
    """What plotext makes of the values themselves."""
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.limit_size(False, False)
    plotext.plotsize(canvas.width, canvas.height)
    plotext.xaxes(False, False)
    plotext.yaxes(False, False)
    plotext.xticks([])
    plotext.yticks([])
    plotext.xlim(canvas.first, canvas.last)
    plotext.ylim(canvas.y.low, canvas.y.high)
    for points in stretches:
        xs = [min(max(x, canvas.first), canvas.last) for x, _ in points]
        ys = [min(max(y, canvas.y.low), canvas.y.high) for _, y in points]
        plotext.plot(xs, ys, marker=marker)
    rows = plotext.uncolorize(plotext.build()).split("\n")[: canvas.height]
    return [row[: canvas.width].ljust(canvas.width) for row in rows]


@given(
    st.lists(st.lists(places, min_size=1, max_size=30), min_size=1, max_size=3),
    st.integers(2, 60),
    st.integers(2, 20),
    st.sampled_from(["braille", "*"]),
)
def test_dots_are_plotexts_own(
    stretches: list[list[tuple[float, float]]], width: int, height: int, marker: str
) -> None:
    canvas = Canvas(width, height, 100.0, 900.0, y_axis((0.0, 5.0), None, height))
    assert draw(stretches, canvas, marker) == straight(stretches, canvas, marker)


def test_what_moves_no_dot_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    build = plotext.build
    monkeypatch.setattr(plotext, "build", lambda: built.append(build()) or built[-1])
    plot._drawn.cache_clear()
    canvas = Canvas(40, 10, 0.0, 1e6, y_axis((0.0, 5.0), None, 10))
    curve = [(float(step), 4.0 - step / 4e5) for step in range(0, 500_000, 5000)]
    first = draw([curve], canvas, "braille")
    assert draw([[*curve, (495_001.0, curve[-1][1])]], canvas, "braille") == first
    assert len(built) == 1
    assert draw([[*curve, (600_000.0, 0.5)]], canvas, "braille") != first
    assert len(built) == 2
