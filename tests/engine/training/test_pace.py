"""The time left, judged by runs of many kinds whose end is known."""

import math
import random
from collections.abc import Callable, Iterator

import pytest

from engine.cadence import Cadence
from engine.training.pace import STRETCHES, Ahead, Pace
from engine.training.timetable import times_ahead

STEPS = 1200
EVERY = {"validation": 300, "sample": 200, "checkpoint": 40}
SECONDS = {"validation": 20.0, "sample": 15.0, "checkpoint": 0.4}
GUESSES = {"validation": 15.0, "sample": 20.0, "checkpoint": 1.0}

Kind = Callable[[random.Random, int], float]
"""Seconds of a step."""


def steady(draw: random.Random, step: int) -> float:
    return draw.gauss(1.0, 0.1)


def heavy_tailed(draw: random.Random, step: int) -> float:
    return 0.6 + 0.2 * draw.paretovariate(1.7)


def slowing(draw: random.Random, step: int) -> float:
    """Twice as slow in the end, as on a machine that grows hot."""
    return steady(draw, step) * (1 + step / STEPS)


def quickening(draw: random.Random, step: int) -> float:
    return steady(draw, step) * (2 - step / STEPS)


def warming_up(draw: random.Random, step: int) -> float:
    return steady(draw, step) * (1 + 12 * math.exp(-step / 6))


def wandering(draw: random.Random, step: int) -> float:
    """Others come and go on the same machine, each for a while."""
    return steady(draw, step) * (1.0, 1.6, 1.0, 1.3, 0.9, 1.5, 1.1, 1.4)[step * 8 // (STEPS + 1)]


def longer_later(draw: random.Random, step: int) -> float:
    """Samples of another kind from the middle on."""
    return steady(draw, step) * (1.0 if step < STEPS // 2 else 1.5)


KINDS: dict[str, Kind] = {
    kind.__name__: kind
    for kind in (steady, heavy_tailed, slowing, quickening, warming_up, wandering, longer_later)
}


def ahead(step: int) -> dict[str, Ahead]:
    return {name: Ahead(STEPS // every - step // every, GUESSES[name]) for name, every in EVERY.items()}


def looks(kind: Kind, seed: int, resumed_at: int = 0) -> Iterator[tuple[int, float, float, float]]:
    """(step, truth, low, high) every twenty steps of a run with duties, or of what a resumed engine did of it."""
    draw = random.Random(seed)
    clock = 0.0
    pace, told = Pace(), {}
    for step in range(1, STEPS + 1):
        seconds = kind(draw, step)
        pace.step(seconds)
        clock += seconds
        told[step] = clock, pace.left(STEPS - step, ahead(step - 1))
        for name, every in EVERY.items():
            if step % every == 0:
                took = SECONDS[name] * draw.uniform(0.8, 1.2)
                pace.duty(name, took)
                clock += took
        if step == resumed_at:  # a new engine knows a few numbers of the one before
            means, pace = pace._means[:16], Pace()
            for mean in means:
                pace.step(mean)
    for step in range(max(20, resumed_at + 20), STEPS - 20, 20):
        at, left = told[step]
        assert left is not None and 0 < left.low <= left.seconds <= left.high
        yield step, clock - at, left.low, left.high


def coverage(found: list[tuple[int, float, float, float]]) -> float:
    return sum(low <= truth <= high for _, truth, low, high in found) / len(found)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_the_truth_lies_in_the_range(kind: Kind) -> None:
    """Nine looks of ten, by a range that is narrower than the time it is about."""
    found = [look for seed in range(3) for look in looks(kind, seed)]
    if kind is longer_later:  # what comes from the middle on nobody can know before
        found = [look for look in found if look[0] > STEPS // 2 + 60]
    assert coverage(found) >= 0.9
    widths = sorted((high - low) / truth for _, truth, low, high in found)
    assert widths[len(widths) // 2] < 1.0


@pytest.mark.parametrize("kind", [steady, slowing, heavy_tailed, wandering])
def test_a_resumed_engine_knows_the_pace_of_the_one_before(kind: Kind) -> None:
    found = [look for seed in range(3) for look in looks(kind, seed, resumed_at=400)]
    assert coverage(found) >= 0.9


def test_the_range_is_not_even() -> None:
    pace = Pace()
    for step in range(200):
        pace.step(1.0 + step / 200)
    left = pace.left(200, {})
    assert left is not None and left.high - left.seconds > left.seconds - left.low


def test_a_duty_that_was_never_done_makes_the_range_wide() -> None:
    pace = Pace()
    for _ in range(100):
        pace.step(1.0)
    guessed = pace.left(100, {"sample": Ahead(4, 20.0)})
    pace.duty("sample", 60.0)
    timed = pace.left(100, {"sample": Ahead(4, 20.0)})
    assert guessed and timed and guessed.high - guessed.low > 1.5 * (timed.high - timed.low)
    assert timed.low < 100 + 4 * 60.0 < timed.high


def test_nothing_is_said_before_a_few_steps_and_little_is_kept() -> None:
    pace = Pace()
    assert pace.left(10, {}) is None
    for _ in range(100_000):
        pace.step(0.5)
    left = pace.left(1000, {})
    assert left is not None and left.seconds == pytest.approx(500.0) and len(pace._means) < STRETCHES


@pytest.mark.parametrize(("words", "step", "steps", "times"), [
    ("40 steps", 0, 120, 2), ("40 steps", 40, 80, 2), ("40 steps", 41, 79, 1), ("stage end", 0, 50, 0),
    ("10 minutes", 0, 50, 2.5),
])  # fmt: skip
def test_what_falls_due_is_counted(words: str, step: int, steps: int, times: float) -> None:
    """The duty of the step just done is still to be done; what is due at the end belongs to the end."""
    assert times_ahead(Cadence.parse(words), step, steps, 1500.0) == times
