"""Numbers on the command line, for argparse's `type`: one outside its range is refused before anything begins."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

Number = TypeVar("Number", int, float)

BILLION = 10**9
"""More of anything is a slip of the finger."""
LONGEST = 40
"""Characters of a wrong number that are told."""


def whole_number(least: int = 1, most: int = BILLION) -> Callable[[str], int]:
    """Reads a whole number from `least` to `most`."""
    return _within(int, "a whole number", least, most)


def real_number(least: float, most: float) -> Callable[[str], float]:
    """Reads a number from `least` to `most`; `nan` lies nowhere."""
    return _within(float, "a number", least, most)


def _within(kind: Callable[[str], Number], noun: str, least: Number, most: Number) -> Callable[[str], Number]:
    def read(words: str) -> Number:
        try:
            value = kind(words)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{_shown(words)!r} is not {noun}") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{_shown(words)} is out of range: say {least:,} to {most:,}")
        return value

    return read


def _shown(words: str) -> str:
    return words if len(words) <= LONGEST else f"{words[:LONGEST]}…"


seed_number = whole_number(-(2**63), 2**63 - 1)
"""Reads the seed of random draws."""
