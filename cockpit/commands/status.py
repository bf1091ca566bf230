"""`status`: how a run is, or all of them."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from cockpit.commands.console import LiveLines, one_line, print_json
from cockpit.commands.describing import overview, progress_line, status_lines
from cockpit.commands.opening import add_run, run_of, runs_of
from engine.errors import UserError
from engine.runs.aftermath import aftermath
from engine.runs.layout import RunPaths, list_runs
from engine.runs.status import Status
from engine.runs.store import status_of

WATCH_SECONDS = 1.0


def configure(parser: argparse.ArgumentParser) -> None:
    add_run(parser, optional=True)
    parser.add_argument("--json", action="store_true", help="as JSON: an object, or a list without RUN")
    parser.add_argument("--watch", action="store_true", help="look again every second until the engine ends")
    parser.epilog = "examples:\n  cxr-cockpit status\n  cxr-cockpit status demo --json"


def run(options: argparse.Namespace) -> int:
    if options.run is None:
        return _list(options)
    paths = run_of(options)
    if options.watch:
        return _watch(paths, options.json)
    status = status_of(paths)
    if options.json:
        print_json(status.as_json())
    else:
        print("\n".join(status_lines(status, aftermath(paths, status))))
    return 0


def _watch(paths: RunPaths, as_json: bool) -> int:
    live = LiveLines()
    shown: dict[str, Any] = {}
    try:
        while True:
            status = status_of(paths)
            if not as_json:
                live.show(status_lines(status) if live.on_terminal else [progress_line(status)])
            elif status.as_json() != shown:
                shown = status.as_json()
                print_json(shown)
                sys.stdout.flush()
            if not status.live:
                break
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        pass  # the ordinary way to stop watching
    live.close()
    return 0


def _list(options: argparse.Namespace) -> int:
    directory = runs_of(options)
    if not options.watch:
        _print_list(directory, options.json)
        return 0
    live = LiveLines()
    try:
        while True:
            if options.json:
                _print_list(directory, as_json=True)
                sys.stdout.flush()
            else:
                live.show(_overview(directory))
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        live.close()
    return 0


def _print_list(directory: Path, as_json: bool) -> None:
    if as_json:
        print_json([_or_unreadable(paths) for paths in list_runs(directory)])
    else:
        print("\n".join(_overview(directory)))


def _overview(directory: Path) -> list[str]:
    statuses: list[Status] = []
    unreadable: list[str] = []
    for paths in list_runs(directory):
        try:
            statuses.append(status_of(paths))
        except UserError as error:
            unreadable.append(f"{paths.name}: {one_line(str(error))}")
    if not statuses and not unreadable:
        return [f"no runs in {directory}: `cxr-cockpit demo` makes one"]
    return [*overview(statuses), *unreadable]


def _or_unreadable(paths: RunPaths) -> dict[str, Any]:
    """The run's status; one that cannot be read is listed with nothing but the reason."""
    try:
        return status_of(paths).as_json()
    except UserError as error:
        nothing = dict.fromkeys(Status(paths.name, "").as_json())
        return nothing | {"run": paths.name, "stalled": False, "error": one_line(str(error))}
