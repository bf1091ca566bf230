"""`status`: how a run is, or all of them."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from cockpit.commands.common.arguments import add_run, run_of, runs_of
from cockpit.commands.common.console import print_json
from cockpit.commands.common.status_words import overview, progress_line, status_lines
from cockpit.commands.status_watch import glyphs_for, read_details, watch_lines, watching
from engine.errors import UserError
from engine.runs.aftermath import aftermath
from engine.runs.layout import RunPaths, command_line, list_runs
from engine.runs.status import Status
from engine.runs.store.opening import status_of
from engine.words.printable import message, one_line

WATCH_SECONDS = 1.0


def configure(parser: argparse.ArgumentParser) -> None:
    add_run(parser, optional=True)
    parser.add_argument("--json", action="store_true", help="as JSON: an object, or a list without RUN")
    parser.add_argument(
        "--watch",
        action="store_true",
        help="look again every second until the engine ends; on a terminal a small view of a few lines",
    )
    parser.epilog = (
        "examples:\n  cxr-cockpit status\n  cxr-cockpit status demo --json\n  cxr-cockpit status demo --watch"
    )


def run(options: argparse.Namespace) -> int:
    if options.run is None:
        return _list(options)
    paths = run_of(options)
    if options.watch:
        _watch(paths, options.json, options.ascii)
        return 0
    status = status_of(paths)
    if options.json:
        print_json(status.as_json())
    else:
        print("\n".join(status_lines(status, aftermath(paths, status))))
    return 0


def _watch(paths: RunPaths, as_json: bool, ascii: bool) -> None:
    """Look until the engine has ended: a small view that is redrawn in place, lines where none can be."""
    shown: dict[str, Any] = {}
    with watching() as live:
        while True:
            status = status_of(paths)
            if as_json:
                if status.as_json() != shown:
                    shown = status.as_json()
                    print_json(shown)
                    sys.stdout.flush()
            elif live.on_terminal:
                live.show(watch_lines(status, read_details(paths, status), live.columns, glyphs_for(ascii)))
            else:
                live.show([progress_line(status)])
            if not status.live:
                return
            time.sleep(WATCH_SECONDS)


def _list(options: argparse.Namespace) -> int:
    directory = runs_of(options)
    if not options.watch:
        _print_list(directory, options.json)
        return 0
    _watch_list(directory, options.json)
    return 0


def _watch_list(directory: Path, as_json: bool) -> None:
    shown: list[dict[str, Any]] | None = None
    with watching() as live:
        while True:
            if not as_json:
                live.show(_overview(directory))
            elif (found := _as_json(directory)) != shown:
                shown = found
                print_json(found)
                sys.stdout.flush()
            time.sleep(WATCH_SECONDS)


def _print_list(directory: Path, as_json: bool) -> None:
    if as_json:
        print_json(_as_json(directory))
    else:
        print("\n".join(_overview(directory)))


def _as_json(directory: Path) -> list[dict[str, Any]]:
    return [_or_unreadable(paths) for paths in list_runs(directory)]


def _overview(directory: Path) -> list[str]:
    statuses: list[Status] = []
    unreadable: list[str] = []
    for paths in list_runs(directory):
        try:
            statuses.append(status_of(paths))
        except UserError as error:
            unreadable.append(f"{paths.name}: {message(str(error))}")
    if not statuses and not unreadable:
        return [
            f"no runs in {one_line(str(directory))}: `{one_line(command_line('demo', runs=directory))}` makes one"
        ]
    return [*overview(statuses), *unreadable]


def _or_unreadable(paths: RunPaths) -> dict[str, Any]:
    """The run's status; one that cannot be read is listed with nothing but the reason."""
    try:
        return status_of(paths).as_json()
    except UserError as error:
        nothing = dict.fromkeys(Status(paths.name, "").as_json())
        return nothing | {"run": paths.name, "stalled": False, "error": message(str(error))}
