"""`plan`: memory and time of a run before anything is loaded, worked out in a child that may load torch."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from cockpit.commands.common.arguments import add_runs, real_number, runs_of
from cockpit.commands.common.child_exit import exit_code
from engine.stages import STAGE_NAMES


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", type=Path, help="a YAML file, as in configs/")
    parser.add_argument("--stage", choices=[*STAGE_NAMES, "all"], default="all", help="default: both")
    parser.add_argument(
        "--what-if",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="plan with this key changed, and say what that changes; may be repeated",
    )
    parser.add_argument(
        "--memory",
        metavar="GIB",
        type=real_number(0.001, 1_000_000),
        help="what the device offers, for one that is not on this machine; a Mac's GPU is offered three quarters",
    )
    parser.add_argument("--json", action="store_true", help="bytes and seconds, as JSON")
    add_runs(parser)
    parser.epilog = (
        "Exit code 1 if the run would not fit. `check --device` measures the rates that times are computed from.\n\n"
        "example:\n  cxr-cockpit plan configs/llava_med_mps.yaml --what-if stages.stage_b.batch_size=8"
    )


def run(options: argparse.Namespace) -> int:
    command = [sys.executable, "-P", "-m", "engine", "plan", str(options.config)]
    command += ["--runs", str(runs_of(options)), "--stage", options.stage]
    for change in options.what_if:
        command.append(f"--what-if={change}")
    if options.memory is not None:
        command += ["--memory", str(options.memory)]
    if options.json:
        command.append("--json")
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    return exit_code(ended)
