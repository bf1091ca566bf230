"""`report`: the model's report for one's own images, by a child that may load torch."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from cockpit.commands.common.arguments import add_runs, run_of
from cockpit.commands.common.child_exit import exit_code
from cockpit.commands.common.console import print_json
from engine.stages import stage_of
from engine.words.printable import one_line, printable


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path, help="JPEG, PNG, TIFF, …")
    parser.add_argument("--run", metavar="RUN", required=True, help="name or path of a run")
    parser.add_argument(
        "--ehr",
        metavar="FILE",
        type=Path,
        help="what is known of the patient, as text or JSON: asks for stage B's reasoning and codes",
    )
    parser.add_argument("--checkpoint", metavar="C", help="as stage_b-000400 (default: the newest)")
    parser.add_argument("--json", action="store_true", help="a line of JSON an image")
    add_runs(parser)
    parser.description = (
        "Let a run's model write its report for each image: impression and labels, or with --ehr reasoning and codes.\n"
        "For research: nothing it writes is fit for clinical use."
    )
    parser.epilog = "example:\n  cxr-cockpit report film.png --run demo"


def run(options: argparse.Namespace) -> int:
    paths = run_of(options)
    command = [sys.executable, "-P", "-m", "engine", "report", str(paths.root), *map(str, options.images)]
    command += ["--ehr", str(options.ehr)] if options.ehr else []
    command += ["--checkpoint", options.checkpoint] if options.checkpoint else []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            report = json.loads(line)
            if options.json:
                print_json(report)
            else:
                print("\n".join(report_lines(report, _width())), end="\n\n", flush=True)
    return exit_code(child.returncode)


def _width() -> int:
    """As wide as the terminal, but no longer than is well read."""
    return max(40, min(100, shutil.get_terminal_size().columns - 1))


def report_lines(report: dict[str, Any], width: int) -> list[str]:
    """A report for a person, the warning first."""
    head = f"{one_line(report['image'])}   {report['stage']}   {report['checkpoint']}"
    paragraphs = [report["notice"]]
    if not report["prompt_known"]:
        paragraphs.append(
            "The curriculum was not found: the model was asked in this project's words, not those it learned."
        )
    paragraphs += ["", *printable(report["prose"]).splitlines(), "", _findings(report)]
    return [head, *(line for one in paragraphs for line in textwrap.wrap(one, width) or [""])]


def _findings(report: dict[str, Any]) -> str:
    if stage_of(report["stage"]).line == "labels":
        labels = report["labels"]
        if labels is None:
            return "labels: none that could be read"
        return f"labels: {', '.join(name for name, state in labels.items() if state) or 'none'}"
    if report["icd"] is None:
        return "ICD: none that could be read"
    return f"ICD: {', '.join(report['icd'])}"
