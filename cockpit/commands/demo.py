"""`demo`: both stages on phantom X-rays."""

from __future__ import annotations

import argparse
from pathlib import Path

from cockpit.commands.common.numbers import seed_number
from cockpit.commands.common.opening import add_runs, runs_of
from cockpit.commands.common.starting import add_headless, fly, start_run
from engine.runs.layout import RunPaths, next_free_name


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", metavar="NAME", help="name of the run (default: demo, demo-2, …)")
    parser.add_argument(
        "--seed", metavar="N", type=seed_number, default=0, help="of data and training (default: 0)"
    )
    add_headless(parser)
    add_runs(parser)
    parser.description = (
        "Make phantom X-rays with reports and patient records in RUNS/.phantom-SEED, if they are not there,\n"
        "and train both stages on the bundled tiny base: about ten minutes, nothing needed."
    )
    parser.epilog = "example:\n  cxr-cockpit demo --headless --seed 3"


def run(options: argparse.Namespace) -> int:
    directory = runs_of(options)
    return fly(options, lambda: start_demo(directory, options.run, options.seed))


def start_demo(directory: Path, name: str | None = None, seed: int = 0) -> RunPaths:
    """Start a demo run; without a name, under the next free one. Raises UserError."""
    from engine.config import demo_config

    return start_run(demo_config(seed, directory), directory, name or next_free_name(directory, "demo"))
