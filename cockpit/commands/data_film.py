"""`data film`: a film as the model sees it, by a child that knows the model."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from cockpit.commands.common.child_exit import exit_code
from engine.files.temporary import sweep


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("film", metavar="FILE", type=Path, help="JPEG, PNG, TIFF, …")
    parser.add_argument("--to", metavar="PNG", type=Path, required=True)
    parser.add_argument(
        "--base", metavar="DIR", type=Path, help="the base model that looks (default: LLaVA-Med's 336 pixels)"
    )
    parser.description = (
        "Write a film as the model sees it: upright, 8 bits, padded to a square, never cropped, and say what was\n"
        "done to its values. 8 bits stay as they are; of more, the darkest and brightest half per cent of the pixels\n"
        "are cut off and the rest is spread evenly. Exit code 1 if the film shows nothing."
    )
    parser.epilog = "example:\n  cxr-cockpit data film film.tif --to seen.png"


def run(options: argparse.Namespace) -> int:
    command = [sys.executable, "-P", "-m", "engine", "film", str(options.film), "--to", str(options.to)]
    command += ["--base", str(options.base)] if options.base else []
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    if ended:
        sweep(options.to.parent)
    return exit_code(ended)
