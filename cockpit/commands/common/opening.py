"""Finding the run that a command is about, and opening the app on it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.files.temporary import sweep
from engine.runs.layout import RunPaths, resolve_run, runs_dir


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


def is_terminal() -> bool:
    """Whether there is someone to show the app to: it reads standard input and draws on standard error."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def writes_unicode() -> bool:
    """Whether what is written to the terminal may be more than ASCII: the locale decides that."""
    return (sys.stdout.encoding or "ascii").lower().startswith("utf")


def open_app(options: argparse.Namespace, paths: RunPaths | None = None) -> int:
    """The app, on a run or on what it finds; returns its exit code."""
    from cockpit.app import run_app

    return run_app(
        paths=paths,
        runs=runs_of(options),
        images=options.images,
        ascii=options.ascii,
        mouse=not options.no_mouse,
        theme=options.theme,
    )
