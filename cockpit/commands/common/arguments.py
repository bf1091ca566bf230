"""What several commands take: the run and its directory, how an engine is watched, numbers within their range."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from engine.files.temporary import sweep
from engine.runs.layout import RunPaths, resolve_run, runs_dir

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


def add_runs(parser: argparse.ArgumentParser) -> None:
    """`--runs` behind the verb, too; not given there, the one before the verb counts."""
    parser.add_argument(
        "--runs",
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="where the runs are (default: $CXR_RUNS or ./runs)",
    )


def add_run(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    """RUN and `--runs`."""
    parser.add_argument("run", metavar="RUN", nargs="?" if optional else None, help="name or path of a run")
    add_runs(parser)


def runs_of(options: argparse.Namespace) -> Path:
    """The directory of runs, without what killed processes have left in it."""
    runs = runs_dir(options.runs)
    sweep(runs)
    return runs


def run_of(options: argparse.Namespace) -> RunPaths:
    """The run that was named. UserError if there is none."""
    paths = resolve_run(options.run, runs_of(options))
    sweep(paths.root.parent)  # which may be elsewhere
    return paths


def add_headless(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--headless",
        action="store_true",
        help="without the app: a progress line until the engine ends (so too where there is no terminal)",
    )


def add_auto_resume(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--auto-resume",
        metavar="N",
        type=whole_number(0, 1000),
        default=0,
        help="start a crashed engine again, up to N times, if it wrote a checkpoint since (default: 0)",
    )
