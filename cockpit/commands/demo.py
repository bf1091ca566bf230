"""`demo`: both stages on phantom X-rays."""

from __future__ import annotations

import argparse

from cockpit.commands.common.arguments import add_headless, add_runs, runs_of, seed_number
from cockpit.commands.common.show_run import show_run
from cockpit.launch.start import start_demo


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
    return show_run(options, lambda: start_demo(directory, options.run, options.seed))
