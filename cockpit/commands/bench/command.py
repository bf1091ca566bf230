"""`bench NAME`: measurements of this installation on this machine, each with the bar it is held to."""

from __future__ import annotations

import argparse
import importlib
from types import ModuleType

BENCHES = {
    "plan": "how far the planned memory is from what training takes, on models of random weights",
    "store": "what a run of ten million scalars costs to open, follow and resume, and what a step adds",
    "resume": "whether a run killed again and again ends as one left alone",
    "cockpit": "what the app costs on a long run: bytes, processor, memory, time",
}
"""Name: what it measures. Each is a module of that name beside this one, with `configure` and `run`."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "example:\n  cxr-cockpit bench cockpit"
    names = parser.add_subparsers(metavar="NAME", dest="bench", required=True)
    for name, summary in BENCHES.items():
        _module(name).configure(
            names.add_parser(
                name, help=summary, description=f"Measure {summary}. Exit code 1 if a bar is not met."
            )
        )


def run(options: argparse.Namespace) -> int:
    return int(_module(options.bench).run(options))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"cockpit.commands.bench.{name}")
