"""`export`: a run's adapter or merged model, for others to load, in a child that may load torch."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from cockpit.commands.common.arguments import add_run, run_of
from cockpit.commands.common.child_exit import exit_code
from engine.files.temporary import sweep


def configure(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--to", metavar="DIR", type=Path, required=True, help="a directory that is not there yet"
    )
    parser.add_argument(
        "--merged",
        action="store_true",
        help="the whole model, as plain transformers loads it (default: the adapter, as PEFT loads it)",
    )
    parser.add_argument("--checkpoint", metavar="C", help="as stage_b-000400 (default: the newest)")
    parser.add_argument("--json", action="store_true", help="what was checked, as JSON")
    parser.description = (
        "Write a checkpoint's adapter, or the model with it merged in, with a model card filled from the run.\n"
        "The written files are loaded again and must answer as the run's model does, and otherwise than the base."
    )
    parser.epilog = "example:\n  cxr-cockpit export demo --to demo-model --merged"


def run(options: argparse.Namespace) -> int:
    paths = run_of(options)
    command = [sys.executable, "-P", "-m", "engine", "export", str(paths.root), "--to", str(options.to)]
    command += ["--merged"] if options.merged else []
    command += ["--checkpoint", options.checkpoint] if options.checkpoint else []
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        sweep(options.to.parent)
        return exit_code(ended.returncode)
    if options.json:
        print(ended.stdout, end="")
        return 0
    checked = json.loads(ended.stdout)
    what = "the merged model" if options.merged else "the adapter"
    print(f"{options.to}: {what} and its card, README.md")
    print(
        f"checked: loaded again it is within {checked['error']:.1e} of the run's model (allowed "
        f"{checked['tolerance']:.0e}),"
    )
    print(f"the adapter moves the base by {checked['effect']:.1e}, both as shares of the largest logit")
    return 0
