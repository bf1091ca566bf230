"""`model fetch`, `model inspect`, `model convert`: the base model, in a child that may load torch."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from cockpit.commands import model_fetch
from cockpit.commands.common.child_exit import exit_code
from engine.files.temporary import sweep


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "example:\n  cxr-cockpit model inspect llava-med-v1.5-mistral-7b"
    kinds = parser.add_subparsers(metavar="KIND", dest="kind", required=True)
    model_fetch.configure(kinds.add_parser("fetch", help="download a base model, or go on with a download"))
    inspect = kinds.add_parser(
        "inspect",
        help="audit a model directory",
        description="Audit a model directory: every tensor has its place, or is listed. Exit code 1 if one has not.",
        epilog="example:\n  cxr-cockpit model inspect llava-med-v1.5-mistral-7b --json",
    )
    inspect.add_argument("directory", metavar="DIR", type=Path)
    inspect.add_argument("--json", action="store_true", help="the audit as JSON")
    convert = kinds.add_parser(
        "convert",
        help="write a directory that plain transformers loads",
        description="Write a llava_mistral directory as one that plain transformers loads.",
        epilog="example:\n  cxr-cockpit model convert llava-med-v1.5-mistral-7b --to llava-med-hf",
    )
    convert.add_argument("directory", metavar="DIR", type=Path)
    convert.add_argument("--to", metavar="OUT", type=Path, required=True)


def run(options: argparse.Namespace) -> int:
    if options.kind == "fetch":
        return model_fetch.run(options)
    command = [sys.executable, "-P", "-m", "engine", options.kind, str(options.directory)]
    if options.kind == "convert":
        command += ["--to", str(options.to)]
    elif options.json:
        command.append("--json")
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    if ended and options.kind == "convert":
        sweep(options.to.parent)
    return exit_code(ended)
