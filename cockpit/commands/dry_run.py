"""`train --dry-run`: a run tried in a directory of its own, which goes however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from cockpit.commands.common.child_exit import exit_code
from cockpit.launch.start import check_inputs
from engine.errors import UserError
from engine.files.temporary import Holder, holder
from engine.runs.layout import command_line

if TYPE_CHECKING:
    from engine.config import RunConfig

#: Seconds that the child has to end in when it is asked to.
PATIENCE = 10.0


def dry_run(path: Path, config: RunConfig, runs: Path, stage: str) -> int:
    """Try `config`, which was read from `path`, in a child; Ctrl-C ends both. Returns the exit code."""
    check_inputs(config)
    there_before = runs.is_dir()
    before = {number: signal.signal(number, _interrupted) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.getsignal(signal.SIGINT)
    try:
        with holder(runs) as place:
            return _tried(path, config, place, runs, stage, before)
    except OSError as error:
        raise UserError(f"{runs}: {error.strerror}") from None
    finally:
        _ignore(before)
        if not there_before and runs.is_dir() and not any(runs.iterdir()):
            runs.rmdir()
        for number, handler in before.items():
            signal.signal(number, handler)


def _tried(
    path: Path, config: RunConfig, place: Holder, runs: Path, stage: str, ended_by: Iterable[int]
) -> int:
    """The child's exit code. ended_by: the signals that end the trial, from the first on without effect."""
    from engine.config import freeze

    child: subprocess.Popen[bytes] | None = None
    try:
        freeze(config, place.path / "config.yaml")
        command = [sys.executable, "-P", "-m", "engine", "dry-run", str(place.path)]
        command += ["--runs", str(runs), "--stage", stage]
        # The child may outlive this process: it holds the lock as well.
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(place.lock,))
        return exit_code(child.wait(), "the trial", command_line("plan", str(path), runs=runs))
    finally:
        _ignore(ended_by)  # a second wish to end must not leave the directory behind
        if child:
            _end(child)


def _ignore(signals: Iterable[int]) -> None:
    for number in signals:
        signal.signal(number, signal.SIG_IGN)


def _end(child: subprocess.Popen[bytes]) -> None:
    """It may be within a long operator of the device, where Python does not hear."""
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt
