"""How long the rest of a stage takes: a range, from the recent pace, the whole pace and the way between them."""

import statistics
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

#: Stretches of equal length that all steps so far are summed up in, at most.
STRETCHES = 32

#: Durations of the latest duties of a kind that count.
DUTIES = 8

#: Standard deviations of the noise that the range holds on either side.
SPREAD = 1.6

#: How far the pace may be carried on, up or down, as a multiple of the recent one.
SLOWEST, FASTEST = 2.0, 0.6

#: What nothing so far foretells: the rest is more often slower than quicker.
STEADIER, HARDER = 0.95, 1.12

#: Share by which a pace known from one step only may be wrong; it falls with the root of the steps.
UNKNOWN = 1.5

#: What a duty that was never timed takes at least and at most, as a multiple of the guess.
GUESSED = (0.2, 3.0)

#: The same of one that was timed, as multiples of the shortest and the longest.
TIMED = (0.85, 1.25)


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """Seconds: what is likely, and the range that holds the truth most of the time."""

    seconds: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ahead:
    """How often a duty is still to be done, and what it takes as long as none was timed, in steps."""

    times: float
    guess: float


class Pace:
    """The seconds of a stage's steps, without what fell due between them, and those of the duties.

    Waiting for a person is neither. What an earlier engine measured is given first.
    """

    def __init__(self) -> None:
        self._means: list[float] = []
        self._length = 1
        self._open: list[float] = []
        self._steps = 0
        self._duties: dict[str, deque[float]] = {}

    def step(self, seconds: float) -> None:
        """Another step was done."""
        self._steps += 1
        self._open.append(seconds)
        if len(self._open) < self._length:
            return
        self._means.append(statistics.fmean(self._open))
        self._open = []
        if len(self._means) == STRETCHES:
            pairs = zip(self._means[::2], self._means[1::2], strict=True)
            self._means = [(one + other) / 2 for one, other in pairs]
            self._length *= 2

    def duty(self, name: str, seconds: float) -> None:
        """A duty was done."""
        self._duties.setdefault(name, deque(maxlen=DUTIES)).append(seconds)

    def left(self, steps: int, duties: Mapping[str, Ahead]) -> TimeLeft | None:
        """The time that so many steps take, with the duties ahead; None while nothing is known of the pace."""
        if self._steps < 3:
            return None
        pace = self._pace(max(1, steps))
        told = [steps * one for one in (pace.seconds, pace.low, pace.high)]
        for name, ahead in duties.items():
            each = self._each(name, ahead.guess * pace.seconds)
            told = [sum_ + ahead.times * one for sum_, one in zip(told, each, strict=True)]
        return TimeLeft(*told)

    def _pace(self, steps: int) -> TimeLeft:
        """Seconds a step over the next `steps`."""
        means = self._means
        if len(means) >= 8:
            means = means[1:]  # caches fill and kernels are compiled in the first steps
        late = means[-max(3, len(means) // 4) :]
        recent, whole = statistics.fmean(late), statistics.fmean(means)
        carried = recent + _slope(means) * (len(late) + steps / self._length) / 2
        carried = min(max(carried, FASTEST * recent), SLOWEST * recent)
        likely = statistics.median((recent, whole, carried))
        newest = statistics.fmean(late[-2:])
        noise = statistics.stdev(means) * (1 / len(late) + self._length / steps) ** 0.5
        unknown = UNKNOWN * likely / self._steps**0.5
        seen = (newest, recent, whole, carried)
        low = STEADIER * min(seen) - SPREAD * noise - unknown / 2
        high = HARDER * max(seen) + SPREAD * noise + unknown
        return TimeLeft(likely, max(low, min(min(means), likely / 2)), high)

    def _each(self, name: str, guess: float) -> tuple[float, float, float]:
        """Seconds that a duty takes: likely, at least, at most."""
        timed = self._duties.get(name)
        if not timed:
            return guess, GUESSED[0] * guess, GUESSED[1] * guess
        return statistics.fmean(timed), TIMED[0] * min(timed), TIMED[1] * max(timed)


def _slope(means: list[float]) -> float:
    """By how much a stretch is slower than the one before: the median over all pairs, which no outlier moves."""
    slopes = [
        (after - before) / (there - here)
        for (here, before), (there, after) in combinations(enumerate(means), 2)
    ]
    return statistics.median(slopes) if slopes else 0.0
