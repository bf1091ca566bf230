"""What the user sees of a run that a command has started: the app, or the headless line."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from cockpit.commands.common.arguments import runs_of
from cockpit.commands.common.headless import follow, interrupts, keep_watch
from cockpit.terminal.streams import is_terminal
from engine.runs.layout import RunPaths
from engine.words.printable import one_line


def show_run(options: argparse.Namespace, start: Callable[[], RunPaths]) -> int:
    """Start an engine and show it: in the app, or headless. Returns the exit code."""
    again: int = getattr(options, "auto_resume", 0)
    if not options.headless and is_terminal():
        paths = start()
        if again:
            keep_watch(paths, again)
        return open_app(options, paths)
    with interrupts() as counter:
        paths = start()
        print(f"run {paths.name} in {one_line(str(paths.root))}", flush=True)
        return follow(paths, counter, engine_began=True, restarts=again)


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
