"""`scalars`: the recorded curves, for other programs."""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Iterable, Sequence

from cockpit.commands.common.arguments import add_run, run_of
from cockpit.commands.common.console import print_json
from engine.errors import UserError
from engine.metrics import registry
from engine.runs.store.opening import NotReady, open_reader
from engine.runs.store.rows import Scalar
from engine.words.nearest import did_you_mean
from engine.words.printable import one_line

#: Beside those of the metrics.
KNOWN_TAGS = (
    "train/loss",
    "train/lr",
    "train/grad_norm",
    "train/samples_per_second",
    "train/supervised_tokens",
    "train/padding",
    "val/loss",
    "memory/process",
    "memory/device",
    "memory/device_reserved",
    "memory/device_limit",
    "memory/system_used",
    "memory/system_total",
    "gpu/utilization",
)


def configure(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--tag", action="append", metavar="T", help="only this series; may be repeated")
    parser.add_argument("--format", choices=["csv", "jsonl"], default="csv")
    parser.add_argument("--all-attempts", action="store_true", help="also rows that a later attempt replaced")
    parser.description = "One row a (stage, step, tag), of the attempt that counts, in order."
    parser.epilog = "example:\n  cxr-cockpit scalars demo --tag train/loss --tag val/loss > loss.csv"


def run(options: argparse.Namespace) -> int:
    try:
        reader = open_reader(run_of(options))
    except NotReady:
        _print((), options.format)
        return 0
    with reader:
        _check_tags(options.tag or (), reader.tags())
        _print(reader.scalars(options.tag, all_attempts=options.all_attempts), options.format)
    return 0


def _check_tags(asked: Sequence[str], recorded: Sequence[str]) -> None:
    """A misspelt tag must not look like an empty series."""
    known = sorted({*KNOWN_TAGS, *(one.tag for one in registry.METRICS if one.tag), *recorded})
    for tag in asked:
        if tag not in known:
            raise UserError(f"no series {tag!r}: {did_you_mean(tag, known, 'there are')}")


def _print(rows: Iterable[Scalar], form: str) -> None:
    if form == "jsonl":
        for row in rows:
            print_json(_fields(row))
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["stage", "step", "tag", "value", "wall_time", "attempt"])
    writer.writerows(
        (one_line(row.stage), row.step, one_line(row.tag), repr(row.value), repr(row.wall_time), row.attempt)
        for row in rows
    )


def _fields(row: Scalar) -> dict[str, object]:
    return row._asdict() | {"value": row.value if math.isfinite(row.value) else None}
