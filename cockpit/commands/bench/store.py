"""`bench store`: what a run of ten million scalars costs to open, follow and resume, and what a step adds."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

from cockpit.commands.bench.figures import Figure, print_figures
from cockpit.commands.bench.long_run import STAGE, TAGS, add_step, record_long_run
from cockpit.commands.common.arguments import whole_number
from engine.files.temporary import holder
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock
from engine.runs.store.opening import RunWriter, open_reader, open_writer
from engine.words.printable import one_line

STEP_BAR = 1.0  # ms
OPEN_BAR = 1.0  # s
LOOK_BAR = 50.0  # ms


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scalars",
        metavar="N",
        type=whole_number(),
        default=10_000_000,
        help="in the run (default: 10,000,000)",
    )
    parser.add_argument(
        "--steps", metavar="N", type=whole_number(), default=2000, help="steps timed (default: 2,000)"
    )
    parser.add_argument("--json", action="store_true", help="as JSON: the figures with their bars")
    parser.epilog = "example:\n  cxr-cockpit bench store"


def run(options: argparse.Namespace) -> int:
    with holder() as place:
        steps = max(1, options.scalars // len(TAGS))
        began = time.perf_counter()
        paths = record_long_run(place.path, "long", steps)
        told = f"{steps * len(TAGS):,} scalars, {paths.db.stat().st_size / 1e6:,.0f} MB"
        if not options.json:
            print(one_line(f"recorded {told} in {time.perf_counter() - began:.0f} s"), flush=True)
        figures = measure(paths, steps, options.steps)
    return print_figures("store", figures, options.json)


def measure(paths: RunPaths, steps: int, timed: int) -> list[Figure]:
    """Seconds and milliseconds on a run of `steps` steps, with `timed` more of them."""
    figures = [
        Figure("open for reading, with status", _seconds(lambda: _open_and_look(paths)), "s", OPEN_BAR),
        Figure("resume: open, look through every page", _seconds(lambda: _open_thoroughly(paths)), "s"),
    ]
    with EngineLock.take(paths), open_writer(paths) as writer, open_reader(paths) as reader:
        writer.open_attempt()
        begun = _seconds(lambda: writer.begin_attempt(STAGE, steps - 100, {}))
        figures.append(Figure("resume: set aside what is done again", begun, "s", OPEN_BAR))
        costs, looks = [], []
        for step in range(steps - 99, steps - 99 + timed):
            costs.append(1000 * _seconds(partial(_step, writer, step, steps)))
            if step % 20 == 0:
                looks.append(1000 * _seconds(partial(reader.recent, "train/loss", STAGE, step - 50)))
        whole = 1000 * _seconds(lambda: reader.series("train/loss", STAGE, columns=400))
    ordered = sorted(costs)
    return [
        *figures,
        Figure("a step, median", statistics.median(costs), "ms", STEP_BAR),
        Figure("a step, 99 of 100", ordered[int(0.99 * (len(ordered) - 1))], "ms"),
        Figure("follow the end of a curve, median", statistics.median(looks), "ms", LOOK_BAR),
        Figure("the whole curve in 400 columns", whole, "ms", LOOK_BAR),
    ]


def _step(writer: RunWriter, step: int, steps: int) -> None:
    """All that a step asks of the store."""
    add_step(writer, step, steps)
    writer.take_commands()


def _open_and_look(paths: RunPaths) -> None:
    with open_reader(paths) as reader:
        reader.status()


def _open_thoroughly(paths: RunPaths) -> None:
    with EngineLock.take(paths), open_writer(paths, thorough=True):
        pass


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
