"""`train`: start a run from a configuration."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cockpit.commands.common.arguments import add_auto_resume, add_headless, add_runs, runs_of, whole_number
from cockpit.commands.common.show_run import show_run
from cockpit.launch.start import free_name, parse_origin, start_run
from engine.errors import UserError
from engine.runs.checkpoints import newest_checkpoint, read_meta
from engine.runs.layout import RunPaths
from engine.runs.process import engine_argv, launch
from engine.runs.store.opening import status_of
from engine.stages import STAGE_NAMES, STAGES, Stage, find_stage

if TYPE_CHECKING:
    from engine.config import RunConfig


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", type=Path, help="a YAML file, as in configs/")
    parser.add_argument("--stage", choices=[*STAGE_NAMES, "all"], help="what to train (default: both stages)")
    parser.add_argument(
        "--epochs", metavar="N", type=whole_number(1, 100_000), help="epochs of each stage to train"
    )
    parser.add_argument(
        "--run", metavar="NAME", help="name of the run (default: from CONFIG's, the next free)"
    )
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="RUN[:CHECKPOINT]",
        help="go on, in a new run, from a checkpoint of another (default: its newest)",
    )
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a key of the configuration, as in lora.rank=32; may be repeated",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="try three steps of each stage at the longest shapes, say what the run will take, leave nothing",
    )
    add_headless(parser)
    add_auto_resume(parser)
    add_runs(parser)
    parser.epilog = (
        "`--stage stage_b --run X` goes on with run X where its stage A is done.\n\n"
        "example:\n  cxr-cockpit train configs/demo.yaml --run night --set lora.rank=16"
    )


def run(options: argparse.Namespace) -> int:
    from engine.config import load_config

    directory = runs_of(options)
    config = load_config(options.config, [*options.overrides, *_epochs(options)])
    if options.dry_run:
        from cockpit.commands.dry_run import dry_run

        return dry_run(options.config, config, directory, options.stage or "all")
    existing = RunPaths(directory / options.run) if options.run else None
    later = find_stage(options.stage) if options.stage in STAGE_NAMES[1:] else None
    if existing and existing.is_run() and later and not options.origin:
        return show_run(options, lambda: _go_on_with(later, existing, config))
    name = options.run or free_name(options.config, directory)
    engine_options = ["--stage", options.stage] if options.stage else []
    origin = parse_origin(options.origin, directory) if options.origin else None
    return show_run(options, lambda: start_run(config, directory, name, engine_options, origin))


def _epochs(options: argparse.Namespace) -> list[str]:
    if options.epochs is None:
        return []
    stages = [options.stage] if options.stage in STAGE_NAMES else STAGE_NAMES
    return [f"stages.{stage}.epochs={options.epochs}" for stage in stages]


def _go_on_with(stage: Stage, paths: RunPaths, config: RunConfig) -> RunPaths:
    """A stage in the run that did the one before. UserError if it did not, or under another configuration."""
    status = status_of(paths)
    if status.live:
        raise UserError(f"run {paths.name!r} is {status.state} already: see `{paths.command('status')}`")
    newest = newest_checkpoint(paths)
    reached = read_meta(newest) if newest else None
    *earlier, before = STAGES[: STAGES.index(stage)]
    undone = (
        [one.name for one in earlier]
        if reached and reached.ended
        else [one.name for one in (*earlier, before)]
    )
    if reached is None or reached.stage in undone:
        raise UserError(
            f"stage {before.letter} of run {paths.name!r} is not done: `{paths.resume_command}` first"
        )
    _check_same(paths, config)
    launch(paths, engine_argv(paths, "--stage", stage.name))
    return paths


def _check_same(paths: RunPaths, config: RunConfig) -> None:
    """A run follows its frozen configuration: what CONFIG says otherwise would be ignored without a word."""
    from engine.config import load_config

    frozen = load_config(paths.config, []).model_dump(mode="json")
    given = config.model_dump(mode="json")
    for key, value in _leaves(given).items():
        was = _leaves(frozen).get(key)
        settled_at_start = key == "model.threads" and value is None
        if value != was and not settled_at_start:
            raise UserError(
                f"run {paths.name!r} was started with {key} = {was!r}, not {value!r}: "
                f"`{paths.resume_command}` goes on as it was, "
                f"--from {paths.name} --run NAME in a new run with the new value"
            )


def _leaves(tree: Any, prefix: str = "") -> dict[str, Any]:
    """{"lora.rank": 16, …}"""
    if not isinstance(tree, dict):
        return {prefix: tree}
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= _leaves(value, f"{prefix}.{key}" if prefix else str(key))
    return found
