"""`evaluate`: generate and score, by the run's engine if it lives, else by one of its own."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

from cockpit.commands.common.arguments import add_run, run_of, whole_number
from cockpit.commands.common.child_exit import exit_code
from cockpit.commands.common.console import print_json, table
from cockpit.commands.control import ask
from engine.metrics import registry
from engine.metrics.scores import figure
from engine.runs.layout import RunPaths
from engine.runs.lock import lock_holder
from engine.words.printable import message


def configure(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--checkpoint", metavar="C", help="as stage_b-000400 (default: the newest)")
    parser.add_argument("--split", choices=["train", "val", "test"], default="val")
    parser.add_argument("--limit", metavar="N", type=whole_number(), help="at most so many samples a stage")
    parser.add_argument("--json", action="store_true", help="every score, as JSON")
    parser.epilog = "example:\n  cxr-cockpit evaluate demo --json"


def run(options: argparse.Namespace) -> int:
    paths = run_of(options)
    holder = lock_holder(paths)
    live = holder is not None and holder.purpose == "run"
    return _by_living_engine(options, paths) if live else _by_own_engine(options, paths)


def _by_living_engine(options: argparse.Namespace, paths: RunPaths) -> int:
    arguments = {"checkpoint": options.checkpoint, "split": options.split, "limit": options.limit}
    outcome = ask(paths, "evaluate", arguments)
    if outcome is None or outcome.state != "done":
        print(f"cxr-cockpit: evaluate: {message(outcome.text) if outcome else ''}", file=sys.stderr)
        return 1
    _show(json.loads(outcome.text), options.json)
    return 0


def _by_own_engine(options: argparse.Namespace, paths: RunPaths) -> int:
    command = [sys.executable, "-P", "-m", "engine", "evaluate", str(paths.root), "--json"]
    command += ["--split", options.split]
    if options.checkpoint:
        command += ["--checkpoint", options.checkpoint]
    if options.limit is not None:
        command += ["--limit", str(options.limit)]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        return exit_code(ended.returncode)
    _show(json.loads(ended.stdout), options.json)
    return 0


def _show(scores: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(scores)
    else:
        print("\n".join(score_lines(scores)))


def score_lines(scores: dict[str, Any]) -> list[str]:
    """The main figures of every stage and baseline, a line each."""
    conditions = {"this checkpoint": scores["stages"], **scores["baselines"]}
    shown = [(metric.title, metric.id) for metric in registry.METRICS if metric.title]
    shown = [("loss", "loss"), *shown, ("n", "n")]
    rows = [("", "", *(title for title, _ in shown))]
    for condition, stages in conditions.items():
        for stage, values in stages.items():
            rows.append((condition, stage, *(_figure(figure(values, metric_id)) for _, metric_id in shown)))
    right = tuple(range(2, 2 + len(shown)))
    heading = f"{scores['run']}  {scores['checkpoint']}  {scores['split']}"
    return [heading, *table(rows, right), *_policies(scores["stages"])]


def _policies(stages: dict[str, Any]) -> list[str]:
    """What the figures mean: without it none of them can be held against another system's."""
    rules = "; ".join(f"{metric.title}: {metric.rule}" for metric in registry.METRICS if metric.rule)
    policies = {policy for values in stages.values() if (policy := figure(values, "chexpert.policy"))}
    return [rules, *(f"labels F1: micro, 14 labels; {policy}" for policy in sorted(policies))]


def _figure(value: Any) -> str:
    if value is None:
        return "—"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
