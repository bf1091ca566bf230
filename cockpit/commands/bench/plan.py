"""`bench plan`: the memory that a plan promises against what training then takes, on models of random weights."""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from cockpit.commands.bench.figures import Figure, print_figures
from cockpit.commands.common.arguments import real_number, whole_number
from engine.errors import UserError
from engine.files.temporary import holder
from engine.progress import Progress

BAR = 15.0  # % of what was measured
#: Parameters from which the bar holds: below, the interpreter's own comings and goings weigh as much as the tensors.
HELD_FROM = 30.0


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--millions",
        metavar="N",
        type=real_number(1, 1_000_000),
        nargs="+",
        default=[5, 50, 200],
        help="parameters of the models, in millions (default: 5 50 200; above 30 the bar holds)",
    )
    parser.add_argument(
        "--micro-batch", metavar="N", type=whole_number(1, 4096), default=2, help="samples (default: 2)"
    )
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--json", action="store_true", help="as JSON: the figures with their bars")
    parser.epilog = (
        "Needs a few gigabytes of disk and memory.\n\nexample:\n  cxr-cockpit bench plan --millions 50"
    )


def run(options: argparse.Namespace) -> int:
    figures: list[Figure] = []
    with holder() as place, closing(Progress()) as progress:
        for number, millions in enumerate(options.millions):
            progress(f"a model of {millions:g} M", number, len(options.millions))
            home = place.path / f"model-{number}"
            figures += _measure(home, millions, options.micro_batch, options.precision)
    return print_figures("plan", figures, options.json)


def _measure(home: Path, millions: float, micro_batch: int, precision: str) -> list[Figure]:
    """A base of that size in `home`, and three steps of stage B on it."""
    from engine.config import demo_config, freeze

    home.mkdir()
    _python("engine.bench.random_base", str(millions * 1e6), "--to", str(home / "base"))
    changes = {"batch_size": micro_batch, "accumulation": 1}
    config = demo_config(0, home)
    stage = config.stages.stage_b.model_copy(update=changes)
    config = config.model_copy(
        update={
            "model": config.model.model_copy(update={"base": str(home / "base"), "precision": precision}),
            "data": config.data.model_copy(update={"max_length": 2048}),
            "stages": config.stages.model_copy(update={"stage_b": stage}),
            "evaluation": config.evaluation.model_copy(update={"batch_size": 2, "max_new_tokens": 8}),
        }
    )
    freeze(config, home / "config.yaml")
    told = _python("engine", "dry-run", str(home), "--runs", str(home), "--stage", "stage_b", "--json")
    found = json.loads(told)
    planned, measured = found["planned_bytes"], found["measured_bytes"]
    name = f"{millions:g} M, {micro_batch} × {found['stages']['stage_b']['length']} tokens"
    off = 100 * abs(planned / measured - 1) if measured else math.nan
    return [
        Figure(f"{name}: planned", planned / 1e6, "MB"),
        Figure(f"{name}: measured", measured / 1e6, "MB"),
        Figure(f"{name}: off", off, "%", BAR if millions >= HELD_FROM else None),
    ]


def _python(module: str, *words: str) -> str:
    """What the module prints as a program. Raises `UserError` with its last words where it fails."""
    command: Sequence[str] = [sys.executable, "-P", "-m", module, *words]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise UserError(f"{module} ended with code {ended.returncode}: {ended.stderr.strip()[-300:]}")
    return ended.stdout
