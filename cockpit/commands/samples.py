"""`samples`: what the model has written."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from itertools import chain

from cockpit.commands.common.arguments import add_run, run_of, whole_number
from cockpit.commands.common.console import print_json
from engine.errors import UserError
from engine.runs.store.opening import NotReady, open_reader
from engine.runs.store.rows import GeneratedSample
from engine.stages import STAGE_NAMES
from engine.words.nearest import did_you_mean
from engine.words.printable import one_line, printable

PURPOSES = (
    "case",
    "evaluation",
    *(f"baseline:{name}" for name in ("constant", "shuffled", "blank_image", "blank_ehr", "base_model")),
)


def configure(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--stage", metavar="S", choices=STAGE_NAMES, help=" or ".join(STAGE_NAMES))
    parser.add_argument("--step", metavar="N", type=whole_number(0))
    parser.add_argument("--purpose", metavar="P", help="case, evaluation or baseline:NAME")
    parser.add_argument("--format", choices=["jsonl", "text"], default="jsonl")
    parser.description = "Generated samples of the attempt that counts, by stage, step, purpose and case."
    parser.epilog = "example:\n  cxr-cockpit samples demo --purpose case --format text"


def run(options: argparse.Namespace) -> int:
    try:
        reader = open_reader(run_of(options))
    except NotReady:
        return 0
    with reader:
        found = iter(reader.samples(options.stage, options.step, options.purpose))
        first = next(found, None)
        if first is None and options.purpose and options.purpose not in PURPOSES:
            raise UserError(
                f"no samples of purpose {options.purpose!r}: {did_you_mean(options.purpose, PURPOSES)}"
            )
        for sample in chain([] if first is None else [first], found):
            if options.format == "jsonl":
                print_json(sample.to_json())
            else:
                print("\n".join(text_lines(sample, shutil.get_terminal_size().columns)), end="\n\n")
    return 0


def text_lines(sample: GeneratedSample, columns: int) -> list[str]:
    """Generated above reference, for the eye."""
    head = f"{sample.stage}  step {sample.step}  {sample.purpose}  {sample.case}  {sample.image}"
    lines = [one_line(head)]
    for title, text in (("generated", sample.generated), ("reference", sample.reference)):
        lines.append(f"  {title}")
        for paragraph in printable(text).splitlines():
            lines += textwrap.wrap(
                paragraph, max(40, columns - 4), initial_indent="    ", subsequent_indent="    "
            )
    return lines
