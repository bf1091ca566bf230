"""Times in words."""

import math

import pytest

from engine.words.durations import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (600, "10 min"),
        (5400, "1 h 30"),
        (19_080, "5 h 18"),
        (200_000, "2 d 7 h"),
        (math.nan, "?"),
        (-1, "?"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
