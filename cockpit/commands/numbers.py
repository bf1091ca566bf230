"""Numbers on the command line, for argparse's `type`: one outside its range is refused before anything begins."""

from __future__ import annotations

import argparse
from collections.abc import Callable

BILLION = 10**9
"""More of anything is a slip of the finger."""
LONGEST = 40
"""Characters of a wrong number that are told."""


def whole_number(least: int = 1, most: int = BILLION) -> Callable[[str], int]:
    """Reads a whole number from `least` to `most`."""

    def read(words: str) -> int:
        try:
            value = int(words)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{_shown(words)!r} is not a whole number") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(_outside(words, least, most))
        return value

    return read


def real_number(least: float, most: float) -> Callable[[str], float]:
    """Reads a number from `least` to `most`; `nan` lies nowhere."""

    def read(words: str) -> float:
        try:
            value = float(words)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{_shown(words)!r} is not a number") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(_outside(words, least, most))
        return value

    return read


seed_number = whole_number(-(2**63), 2**63 - 1)
"""Reads the seed of random draws."""


def _outside(words: str, least: float, most: float) -> str:
    return f"{_shown(words)} is out of range: say {least:,} to {most:,}"


def _shown(words: str) -> str:
    return words if len(words) <= LONGEST else f"{words[:LONGEST]}…"
