"""Starting an engine, and what the user sees of it then: the app, or the headless line."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from cockpit.commands.common.headless import follow, interrupts, keep_watch
from cockpit.commands.common.numbers import whole_number
from cockpit.commands.common.opening import is_terminal, open_app
from engine.errors import UserError
from engine.runs.checkpoints import copy_checkpoint
from engine.runs.layout import RunPaths, create_run
from engine.runs.process import engine_argv, launch
from engine.words.printable import one_line

if TYPE_CHECKING:
    from engine.config import RunConfig

Origin = tuple[RunPaths, str | None]
"""A run and the name of one of its checkpoints; None for the newest."""


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


def start_run(
    config: RunConfig,
    directory: Path,
    name: str,
    engine_options: Sequence[str] = (),
    origin: Origin | None = None,
) -> RunPaths:
    """Make the run's directory, freeze the configuration into it and launch its engine."""
    from engine.config import freeze

    check_inputs(config)
    paths = create_run(directory, name)
    try:
        freeze(config, paths.config)
        if origin:
            copy_checkpoint(*origin, paths)
    except (OSError, UserError) as error:
        shutil.rmtree(paths.root)
        raise error if isinstance(error, UserError) else UserError(f"{paths.config}: {error}") from None
    launch(paths, engine_argv(paths, *engine_options))
    return paths


def fly(options: argparse.Namespace, start: Callable[[], RunPaths]) -> int:
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


def check_inputs(config: RunConfig) -> None:
    """What can be seen to be missing before there is a run."""
    base, data = config.base_directory, config.data
    if not base.is_dir():
        raise UserError(
            f"model.base: no directory {base}; `cxr-cockpit model fetch --to {quote(str(base))}` brings it"
        )
    if data.phantom is None and not data.curriculum.is_file():
        raise UserError(f"data.curriculum: no file {data.curriculum}; see `cxr-cockpit data --help`")
    if data.phantom is None and not data.image_root.is_dir():
        raise UserError(f"data.image_root: no directory {data.image_root}; set it to where the films lie")
