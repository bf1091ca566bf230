"""`resume`: go on with a run, whatever made it pause."""

from __future__ import annotations

import argparse
import sys

from cockpit.commands.common.arguments import add_auto_resume, add_headless, add_run, run_of
from cockpit.commands.common.headless import follow, interrupts, keep_watch
from cockpit.commands.common.show_run import open_app, show_run
from cockpit.commands.control import ask
from cockpit.terminal.streams import is_terminal
from engine.errors import UserError
from engine.runs.checkpoints import newest_checkpoint, read_meta
from engine.runs.layout import RunPaths, command_line
from engine.runs.lock import lock_holder
from engine.runs.process import engine_argv, launch
from engine.runs.status import Status
from engine.runs.store.opening import NotReady, open_reader, status_of
from engine.runs.store.schema import Damaged
from engine.stages import STAGES, find_stage
from engine.words.printable import message


def configure(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--same-stage", action="store_true", help="go on with the stage that was stopped, not the next one"
    )
    add_headless(parser)
    add_auto_resume(parser)
    parser.description = (
        "A held run continues; a parked, stopped, crashed or failed one gets a new engine that goes on from\n"
        "its newest whole checkpoint; a finished one says so."
    )
    parser.epilog = "example:\n  cxr-cockpit resume demo"


def run(options: argparse.Namespace) -> int:
    paths = run_of(options)
    status = _status(paths)
    if status and status.live:
        return _join(options, paths, status)
    if status and status.state == "finished":
        print(f"{paths.name} is finished: {_finished_words(paths)}")
        return 0
    if status:
        _check_next_stage(paths, status, options.same_stage)
    engine_options = ["--same-stage"] if options.same_stage else []

    def start() -> RunPaths:
        from engine.config import load_config

        # A run may come from elsewhere: what it is going to read is seen before it is read.
        print(f"{paths.name} reads {load_config(paths.config).reads()}", flush=True)
        launch(paths, engine_argv(paths, *engine_options))
        return paths

    return show_run(options, start)


def _status(paths: RunPaths) -> Status | None:
    """None where the database is damaged and no engine lives: to start one mends it."""
    try:
        return status_of(paths)
    except Damaged:
        if lock_holder(paths):
            raise
        return None


def _join(options: argparse.Namespace, paths: RunPaths, status: Status) -> int:
    """An engine lives: continue it if it holds, then watch."""
    holder = lock_holder(paths)
    if holder and holder.purpose == "evaluate":
        raise UserError(
            f"run {paths.name!r} is being evaluated by pid {holder.pid}: resume it when that is done"
        )
    if status.state == "holding":
        outcome = ask(paths, "continue")
        if outcome and outcome.state != "done":
            print(f"cxr-cockpit: continue: {message(outcome.text)}", file=sys.stderr)
            return 1
        print(f"{paths.name}: {message(outcome.text) if outcome else 'going on'}", flush=True)
    else:
        print(f"{paths.name} is {status.state} already (pid {status.pid})", flush=True)
    if options.headless:
        with interrupts() as counter:
            return follow(paths, counter, restarts=options.auto_resume)
    if options.auto_resume:
        keep_watch(paths, options.auto_resume)
    return open_app(options, paths) if is_terminal() else 0


def _finished_words(paths: RunPaths) -> str:
    planned = _planned(paths)
    done = find_stage(planned[-1]) if planned else None
    following = STAGES[STAGES.index(done) + 1 :] if done else ()
    if done and following:
        after = following[0]
        words = ["train", str(paths.config), "--stage", after.name, "--run", paths.name]
        command = command_line(*words, runs=paths.root.parent)
        return f"stage {done.letter} is done; stage {after.letter}: `{command}`"
    return "all requested stages are done"


def _check_next_stage(paths: RunPaths, status: Status, same_stage: bool) -> None:
    """After the last stage was stopped there is no next one to start."""
    newest = newest_checkpoint(paths)
    reached = read_meta(newest) if newest else None
    if status.state != "stopped" or same_stage or reached is None or reached.ended != "stopped":
        return
    planned = _planned(paths)
    if planned and planned[-1] == reached.stage:
        raise UserError(
            f"{reached.stage}, the last stage of run {paths.name!r}, was stopped at step {reached.step}: "
            f"`{paths.resume_command} --same-stage` goes on with it"
        )


def _planned(paths: RunPaths) -> list[str]:
    try:
        with open_reader(paths) as reader:
            return [str(stage["stage"]) for stage in reader.stages_plan()]
    except NotReady:
        return []
