"""Starting a run: its directory, its frozen configuration, its engine. Commands and the app start runs alike."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.runs.checkpoints import copy_checkpoint
from engine.runs.layout import RunPaths, create_run, next_free_name, resolve_run
from engine.runs.process import engine_argv, launch

if TYPE_CHECKING:
    from engine.config import RunConfig

Origin = tuple[RunPaths, str | None]
"""A run and the name of one of its checkpoints; None for the newest."""


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


def start_demo(directory: Path, name: str | None = None, seed: int = 0) -> RunPaths:
    """Start a demo run; without a name, under the next free one. Raises UserError."""
    from engine.config import demo_config

    return start_run(demo_config(seed, directory), directory, name or next_free_name(directory, "demo"))


def start_config(path: Path, directory: Path) -> RunPaths:
    """A new run from a configuration file, named after it. Raises UserError."""
    from engine.config import load_config

    return start_run(load_config(path, []), directory, free_name(path, directory))


def parse_origin(words: str, directory: Path) -> Origin:
    """`RUN` or `RUN:CHECKPOINT`."""
    try:
        return resolve_run(words, directory), None
    except UserError:
        name, colon, checkpoint = words.rpartition(":")
        if not colon:
            raise
        return resolve_run(name, directory), checkpoint


def free_name(config: Path, directory: Path) -> str:
    """What a run of this configuration is called, unless somebody says otherwise."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", config.stem).lstrip("-._")
    return next_free_name(directory, stem[:80] or "run")


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
