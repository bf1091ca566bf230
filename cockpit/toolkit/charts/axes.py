"""The upright axes of the charts: round ticks on whole rows, and no move without need."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from cockpit.toolkit import figures


class Axis(Protocol):
    """An axis of `rows` rows from `low` to `high`, both as `place` gives them."""

    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def rows(self) -> int: ...
    def place(self, value: float | None) -> float | None: ...
    def labels(self) -> dict[int, str]: ...


@dataclass(frozen=True, slots=True)
class YAxis:
    """The loss axis of a chart of `rows` rows: from `low`, a tick every `step`, which is `rows_a_step` rows."""

    low: float
    step: float
    rows_a_step: int
    rows: int

    @property
    def high(self) -> float:
        return self.low + self.step * max(1, self.rows - 1) / self.rows_a_step

    def place(self, value: float | None) -> float | None:
        """Where on the axis the value lies; None if it has no place."""
        return value

    def labels(self) -> dict[int, str]:
        """{row from the bottom: what stands there}"""
        return {row: figures.tick(value, self.step) for row, value in self.ticks()}

    def ticks(self) -> list[tuple[int, float]]:
        """(row from the bottom, value)"""
        return [
            (row, self.low + index * self.step)
            for index, row in enumerate(range(0, self.rows, self.rows_a_step))
        ]


@dataclass(frozen=True, slots=True)
class LogAxis:
    """A logarithmic axis; `low` and `high` are powers of ten. What is not above zero has no place on it."""

    low: float
    high: float
    rows: int

    def place(self, value: float | None) -> float | None:
        return math.log10(value) if value is not None and value > 0 else None

    def labels(self) -> dict[int, str]:
        """Of 1, 2, 5 × 10ⁿ as many as have two rows each, powers of ten before others."""
        labels: dict[int, str] = {}
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        for factors in ((1,), (2, 5), (3, 7), (4, 6, 8, 9), (1.5, 2.5)):
            for value in (factor * 10.0**power for power in powers for factor in factors):
                row = round((math.log10(value) - self.low) / (self.high - self.low) * (self.rows - 1))
                if 0 <= row < self.rows and not labels.keys() & {row - 1, row, row + 1}:
                    labels[row] = figures.log_tick(value)
            if len(labels) >= 3:
                break
        # One label says nothing of the scale; then both ends are told, round or not.
        ends = {0: self.low, self.rows - 1: self.high}
        return labels if len(labels) > 1 else {row: figures.log_tick(10**end) for row, end in ends.items()}


def log_axis(needed: tuple[float, float] | None, previous: Axis | None, rows: int) -> LogAxis:
    """A logarithmic axis that holds what is needed of what is above zero; steps of a tenth of a power."""
    low, high = needed or (0.1, 1.0)
    high = max(high, 1e-12)
    low = max(low, high * 1e-6)
    bottom, top = math.floor(10 * math.log10(low)) / 10, math.ceil(10 * math.log10(high)) / 10
    axis = LogAxis(bottom, max(top, bottom + 0.2), max(1, rows))
    if isinstance(previous, LogAxis) and previous.rows == axis.rows:
        holds = previous.low <= axis.low and axis.high <= previous.high
        if holds and axis.high - axis.low > 0.6 * (previous.high - previous.low):
            return previous
    return axis


def y_axis(needed: tuple[float, float] | None, previous: Axis | None, rows: int) -> YAxis:
    """An axis that holds what is needed and changes rarely: only when it does not fit or has become small.

    Its ticks lie on whole rows, equally far apart, at round numbers.
    """
    previous = previous if isinstance(previous, YAxis) else None
    if needed is None:
        return previous if previous and previous.rows == rows else _snug(0.0, 1.0, rows)
    low, high = needed
    if previous and previous.rows == rows and previous.low <= low and high <= previous.high:
        snug = _snug(low, high, rows)
        if snug.high - snug.low > 0.6 * (previous.high - previous.low):
            return previous
    return _snug(low, high, rows)


def _snug(low: float, high: float, rows: int) -> YAxis:
    """The axis with little air above and below, and ticks close to each other, at least two rows apart."""
    span = max(high - low, abs(high) / 4, 1e-9)
    if 0 <= low < 0.1 * high:
        low, span = 0.0, max(high, 1e-9)
    best, least = YAxis(low, nice_step(span), max(1, rows - 1), max(1, rows)), math.inf
    step = nice_step(span / 50)
    while step < 4 * span:
        bottom = math.floor(low / step + 1e-9) * step
        spacing = int((rows - 1) * step / (max(high, bottom + span) - bottom) + 1e-9)
        axis = YAxis(bottom, step, max(1, spacing), max(1, rows))
        cost = (axis.high - high + low - bottom) / span + 0.03 * spacing
        # One tick says nothing of the scale: there has to be room for a second one.
        if min(2, rows - 1) <= spacing <= rows - 1 and axis.high >= high and cost < least:
            best, least = axis, cost
        step = nice_step(step * 1.01)
    return best


def nice_step(rough: float) -> float:
    """The smallest of 1, 2, 2.5, 5 × 10ⁿ that is at least `rough`."""
    if rough <= 0 or not math.isfinite(rough):
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1.0, 2.0, 2.5, 5.0, 10.0):
        if factor * power >= rough * 0.999999:
            return factor * power
    return 10.0 * power
