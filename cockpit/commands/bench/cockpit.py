"""`bench cockpit`: what the real app costs, on a pseudo-terminal of 120 × 40, on runs of the size of a long night."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cockpit.commands.bench.figures import Figure, print_figures
from cockpit.commands.bench.long_run import add_step, record_long_run
from cockpit.commands.bench.terminal import Terminal
from engine.files.temporary import holder
from engine.progress import Progress
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock
from engine.runs.store.opening import RunWriter, open_writer

BARS = {
    "sent": 0.8,  # kB/s
    "sent_idle": 0.0,
    "processor": 3.0,  # % of a core
    "memory": 90.0,  # MB
    "open": 1.5,  # s
    "pan": 0.1,
    "list": 0.5,
    "end": 1.0,
    "end_stalled": 3.0,
}
MEGABYTE = 1e6

_APP = """
import sys
from pathlib import Path
import cockpit.app
from cockpit.app import run_app
from engine.runs.layout import RunPaths
cockpit.app.checks_on = lambda runs: None  # what the app costs once its check of the machine is over
run = RunPaths(Path(sys.argv[1]))
sys.exit(run_app(run, run.root.parent, poll_seconds=float(sys.argv[2])))
"""
ARROW_UP = "\x1b[A"
HASTE = 0.02
"""Seconds between two looks where an hour's worth of them is drawn in minutes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is recorded and how long it is looked at; the bars are meant for the plan as it stands."""

    steps: int = 100_000
    many_steps: int = 1_000_000
    samples: int = 5_000
    settle: float = 3.0
    steady: int = 30
    idle: float = 10.0
    updates: int = 3600


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON: the figures with their bars")
    parser.epilog = "example:\n  cxr-cockpit bench cockpit"


def run(options: argparse.Namespace) -> int:
    with (
        holder() as directory,
        closing(Progress()) as progress,
    ):
        figures = measure(directory.path, Plan(), progress)
    return print_figures("cockpit", figures, options.json)


def measure(directory: Path, plan: Plan, tell: Callable[[str, int, int], None]) -> list[Figure]:
    """All figures; `tell(what, done, total)` hears how far it is."""
    tell("recording a long run", 0, 4)
    long = record_long_run(directory / "long", "long", plan.steps)
    tell("recording a very long run", 1, 4)
    longer = record_long_run(directory / "longer", "longer", plan.many_steps)
    tell("recording samples", 2, 4)
    sampled = record_long_run(directory / "sampled", "sampled", 1000, plan.samples)
    tell("opening them", 3, 4)
    opening = [*_opening(longer, plan), *_listing(sampled, plan), *_leaving(sampled)]
    tell("opening them", 4, 4)
    return [*_steady(long, plan, tell), *opening, *_after_an_hour(long, plan, tell)]


@contextmanager
def _engine(paths: RunPaths) -> Iterator[RunWriter]:
    """The run as one that trains: the lock held, the state written."""
    with EngineLock.take(paths), open_writer(paths) as writer:
        writer.state("training")
        yield writer


def _app(paths: RunPaths, poll_seconds: float = 1.0) -> Terminal:
    return Terminal([sys.executable, "-P", "-c", _APP, str(paths.root), str(poll_seconds)])


def _steady(paths: RunPaths, plan: Plan, tell: Callable[[str, int, int], None]) -> list[Figure]:
    """A step a second, then none at all."""
    with _engine(paths) as writer, _app(paths) as terminal:
        terminal.until(f"{plan.steps + 1:,}")
        time.sleep(plan.settle)
        sent, processor, began = terminal.sent, terminal.processor_seconds(), time.monotonic()
        for done in range(plan.steady):
            add_step(writer, plan.steps + 2 + done, plan.steps)
            time.sleep(max(0.0, began + done + 1 - time.monotonic()))
            tell("a step a second", done + 1, plan.steady)
        seconds = time.monotonic() - began
        sent, processor = terminal.sent - sent, terminal.processor_seconds() - processor
        time.sleep(plan.settle)
        idle_sent, idle_processor = terminal.sent, terminal.processor_seconds()
        time.sleep(plan.idle)
        idle_sent = terminal.sent - idle_sent
        idle_processor = terminal.processor_seconds() - idle_processor
        first = terminal.first_byte if terminal.first_byte is not None else float("nan")
    return [
        Figure("first byte", first, "s"),
        Figure("sent on Flight, a step a second", sent / seconds / 1000, "kB/s", BARS["sent"]),
        Figure("sent when nothing changes", idle_sent / plan.idle / 1000, "kB/s", BARS["sent_idle"]),
        Figure("processor, a step a second", 100 * processor / seconds, "%", BARS["processor"]),
        Figure("processor when nothing changes", 100 * idle_processor / plan.idle, "%"),
    ]


def _opening(paths: RunPaths, plan: Plan) -> list[Figure]:
    with _engine(paths), _app(paths) as terminal:
        opened = terminal.until(f"{plan.many_steps + 1:,}")
        terminal.settle()
        terminal.press("z")
        terminal.press(ARROW_UP)  # half of the steps, so that there is somewhere to go
        panned = terminal.press("[")
    name = f"{plan.many_steps:,} steps × 10 scalars"
    return [
        Figure(f"{name}: opened", opened, "s", BARS["open"]),
        Figure(f"{name}: full-screen chart panned", panned, "s", BARS["pan"]),
    ]


def _listing(paths: RunPaths, plan: Plan) -> list[Figure]:
    with _engine(paths), _app(paths) as terminal:
        terminal.until("training")
        terminal.settle()
        listed = terminal.seconds_until("2", f"{plan.samples:,}")
    return [Figure(f"{plan.samples:,} samples: listed", listed, "s", BARS["list"])]


def _leaving(paths: RunPaths) -> list[Figure]:
    """From SIGTERM to the end, with a terminal that takes what is sent and with one that does not."""
    with _engine(paths):
        with _app(paths) as terminal:
            terminal.until("training")
            terminal.settle()
            ended = terminal.seconds_to_end(signal.SIGTERM)
        with _app(paths) as terminal:
            terminal.until("training")
            terminal.settle()
            terminal.stall()
            ended_stalled = terminal.seconds_to_end(signal.SIGTERM)
    return [
        Figure("ended after SIGTERM", ended, "s", BARS["end"]),
        Figure("ended after SIGTERM, stalled link", ended_stalled, "s", BARS["end_stalled"]),
    ]


def _after_an_hour(paths: RunPaths, plan: Plan, tell: Callable[[str, int, int], None]) -> list[Figure]:
    """As many updates as an hour has seconds, each waited for, then the memory."""
    with _engine(paths) as writer, _app(paths, HASTE) as terminal:
        terminal.until("training")
        terminal.settle()
        for done in range(plan.updates):
            sent = terminal.sent
            add_step(writer, plan.steps + plan.steady + 10 + done, plan.steps)
            terminal.until_more(sent)
            tell("an hour's worth of updates", done + 1, plan.updates)
        resident = terminal.resident_bytes()
    name = f"resident after {plan.updates:,} updates"
    return [Figure(name, resident / MEGABYTE, "MB", BARS["memory"])]
