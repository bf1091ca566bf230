"""`service`: what a crash or a shutdown interrupted goes on after the machine has started again."""

from __future__ import annotations

import argparse
import os
import plistlib
import re
import subprocess
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from cockpit.commands.common.arguments import add_run, run_of, runs_of
from cockpit.commands.common.headless import follow, interrupts
from engine.errors import UserError
from engine.paths import expanded
from engine.runs.layout import RunPaths, list_runs
from engine.runs.process import engine_argv, launch
from engine.runs.status import Status
from engine.runs.store.opening import status_of
from engine.words.printable import message, one_line

RESTARTS = 3
"""Times that a continued engine which crashes again is started anew, if it made progress."""
COMMAND_SECONDS = 30.0
"""For the system to take a service up or drop it."""


@dataclass(frozen=True, slots=True)
class Service:
    """A file that makes the system start something, and the commands that tell the system of it."""

    path: Path
    text: str
    enable: tuple[tuple[str, ...], ...]
    disable: tuple[tuple[str, ...], ...]
    note: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    add_run(parser, optional=True)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--install", action="store_true", help="write the file and tell the system of it")
    what.add_argument("--remove", action="store_true", help="take it back")
    what.add_argument(
        "--continue",
        dest="go_on",
        action="store_true",
        help="what the system calls: go on with what was interrupted",
    )
    kind = "launchd" if sys.platform == "darwin" else "systemd"
    parser.add_argument(
        "--kind", choices=["systemd", "launchd"], default=kind, help=f"whose file (default here: {kind})"
    )
    parser.description = (
        "Print the systemd user unit or launchd agent that goes on, after the machine has restarted, with a\n"
        "run that crashed or that a signal parked at shutdown. One that a person parked, held or stopped stays\n"
        "as it is. Without RUN: the one of all runs that was written last."
    )
    parser.epilog = "examples:\n  cxr-cockpit service\n  cxr-cockpit service night-1 --install"


def run(options: argparse.Namespace) -> int:
    if options.go_on:
        return _go_on(options)
    paths = run_of(options) if options.run else None
    runs = paths.root.parent if paths else runs_of(options)
    service = describe(options.kind, runs, paths.name if paths else None, expanded("~"))
    if options.install:
        return _install(service)
    if options.remove:
        return _remove(service)
    print(f"# {service.path}\n{service.text}", end="")
    return 0


def describe(kind: str, runs: Path, name: str | None, home: Path) -> Service:
    """The file for that kind of system; `name` None means whichever run was interrupted last.

    Raises UserError where a name or path has what no such file can hold.
    """
    # a directory may be called what no unit may be
    label = f"cxr-cockpit-{re.sub(r'[^A-Za-z0-9._-]', '-', name)}" if name else "cxr-cockpit"
    command = [sys.executable, "-P", "-m", "cockpit.cli", "service", "--continue", "--runs", str(runs)]
    command += [name] if name else []
    for word in (*command, str(home), os.environ.get("XDG_CONFIG_HOME", "")):
        _refuse_control(word)
    return _launchd(label, command, runs, home) if kind == "launchd" else _systemd(label, command, home)


def _refuse_control(word: str) -> None:
    """A line end would begin a directive of its own in a unit, and some other characters end a line or a file there."""
    character = next((one for one in word if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp")), None)
    if character is not None:
        kind = (
            "bytes that are not UTF-8" if unicodedata.category(character) == "Cs" else "a control character"
        )
        raise UserError(f"{one_line(word)}: has {kind} in it, which no service may; rename it")


def _systemd(label: str, command: list[str], home: Path) -> Service:
    if set(command[0]) & set("\\\"'"):
        raise UserError(f"{command[0]}: systemd runs no program with quotes or backslashes in its path")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    unit = f"{label}.service"
    text = f"""\
[Unit]
Description=Go on with a cxr-cockpit run that a crash or a shutdown interrupted

[Service]
Type=exec
ExecStart={" ".join((_quoted(command[0], program=True), *map(_quoted, command[1:])))}
# The engine outlives this service; at shutdown it gets its own SIGTERM and parks.
KillMode=process
# 1: the run has ended otherwise than finished.
SuccessExitStatus=1
UMask=0077

[Install]
WantedBy=default.target
"""
    return Service(
        config / "systemd" / "user" / unit,
        text,
        (("systemctl", "--user", "daemon-reload"), ("systemctl", "--user", "enable", unit)),
        (("systemctl", "--user", "disable", unit),),
        "it starts when you log in; after `loginctl enable-linger`, when the machine starts",
    )


def _launchd(label: str, command: list[str], runs: Path, home: Path) -> Service:
    content = {
        "Label": label,
        "ProgramArguments": command,
        "RunAtLoad": True,
        # Else launchd would take the engine along when this job ends, and slow it down while it runs.
        "AbandonProcessGroup": True,
        "ProcessType": "Interactive",
        "LimitLoadToSessionType": ["Aqua", "Background"],
        "Umask": 0o077,
        "StandardOutPath": str(runs / "service.log"),
        "StandardErrorPath": str(runs / "service.log"),
    }
    path = home / "Library" / "LaunchAgents" / f"{label}.plist"
    user = os.getuid()
    return Service(
        path,
        plistlib.dumps(content).decode(),
        # Over SSH there is no gui domain: then the user's own is the one.
        (("sh", "-c", f"launchctl enable gui/{user}/{label} || launchctl enable user/{user}/{label}"),),
        (("sh", "-c", f"launchctl bootout gui/{user}/{label} || launchctl bootout user/{user}/{label}"),),
        "launchd reads it at the next login",
    )


def _quoted(word: str, program: bool = False) -> str:
    """A word as ExecStart= wants it; in the program's own path, its first, no variable is looked for."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped if program else escaped.replace("$", "$$")}"'


def _install(service: Service) -> int:
    try:
        service.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        service.path.write_text(service.text, encoding="utf-8")
        service.path.chmod(0o600)
    except OSError as error:
        raise UserError(f"cannot write {service.path}: {error.strerror}") from None
    print(f"wrote {service.path}")
    if not _carry_out(service.enable):
        return 1
    print(service.note)
    return 0


def _remove(service: Service) -> int:
    if not service.path.exists():
        raise UserError(f"no such service: {service.path} is not there")
    enough = _carry_out(service.disable)
    service.path.unlink()
    print(f"removed {service.path}")
    return 0 if enough else 1


def _carry_out(commands: tuple[tuple[str, ...], ...]) -> bool:
    for command in commands:
        try:
            ended = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
                check=False,
            )
            said = "" if ended.returncode == 0 else ended.stderr or f"exit code {ended.returncode}"
        except OSError as error:
            said = str(error)
        except subprocess.TimeoutExpired:
            said = f"no answer within {COMMAND_SECONDS:.0f} s"
        if said:
            print(f"cxr-cockpit: `{' '.join(command)}` did not work: {message(said)}", file=sys.stderr)
            return False
    return True


def _go_on(options: argparse.Namespace) -> int:
    runs = [run_of(options)] if options.run else list_runs(runs_of(options))
    found = [(paths, _status(paths)) for paths in runs]
    if any(status and status.live for _, status in found):
        print("an engine is already running")
        return 0
    interrupted = [paths for paths, status in found if status and was_interrupted(status)]
    if not interrupted:
        print("nothing was interrupted")
        return 0
    paths = interrupted[0]
    with interrupts() as counter:
        launch(paths, engine_argv(paths))
        print(f"going on with {paths.name}", flush=True)
        return follow(paths, counter, engine_began=True, restarts=RESTARTS)


def was_interrupted(status: Status) -> bool:
    """Whether an engine ended that nobody asked to: a run at rest by a person's will stays so."""
    if status.state == "crashed":
        return status.written not in ("", "holding")
    return status.state == "parked" and status.by_signal


def _status(paths: RunPaths) -> Status | None:
    try:
        return status_of(paths)
    except UserError as error:
        print(f"cxr-cockpit: {paths.name}: {message(str(error))}", file=sys.stderr)
        return None
