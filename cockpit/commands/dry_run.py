"""`train --dry-run`: a run tried in a directory of its own, which goes however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from cockpit.commands.starting import check_inputs
from engine.errors import UserError
from engine.runs.layout import command_line

if TYPE_CHECKING:
    from engine.config import RunConfig

PREFIX = ".dry-run-"
#: Seconds that the child has to end in when it is asked to.
PATIENCE = 10.0


def dry_run(path: Path, config: RunConfig, runs: Path, stage: str) -> int:
    """Try `config`, which was read from `path`, in a child; Ctrl-C ends both. Returns the exit code."""
    from engine.config import freeze

    check_inputs(config)
    sweep(runs)
    there_before = runs.is_dir()
    place = runs / f"{PREFIX}{os.getpid()}"
    before = {number: signal.signal(number, _interrupted) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.getsignal(signal.SIGINT)
    child: subprocess.Popen[bytes] | None = None
    try:
        place.mkdir(mode=0o700, parents=True)
        freeze(config, place / "config.yaml")
        command = [sys.executable, "-P", "-m", "engine", "dry-run", str(place)]
        command += ["--runs", str(runs), "--stage", stage]
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        ended = child.wait()
        if ended >= 0:
            return ended
        hint = f"if memory ran out, `{command_line('plan', str(path), runs=runs)}` tells what fits"
        print(f"cxr-cockpit: the trial was ended by signal {-ended}; {hint}", file=sys.stderr)
        return 1
    except OSError as error:
        raise UserError(f"{place}: {error.strerror}") from None
    finally:
        for number in before:  # a second wish to end must not leave the directory behind
            signal.signal(number, signal.SIG_IGN)
        if child:
            _end(child)
        shutil.rmtree(place, ignore_errors=True)
        if not there_before and runs.is_dir() and not any(runs.iterdir()):
            runs.rmdir()
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(child: subprocess.Popen[bytes]) -> None:
    """It may be within a long operator of the device, where Python does not hear."""
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def sweep(runs: Path) -> None:
    """Remove what trials have left that were killed outright."""
    for left in runs.glob(f"{PREFIX}*"):
        pid = left.name.removeprefix(PREFIX)
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt
