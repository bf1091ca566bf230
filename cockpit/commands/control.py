"""`hold`, `continue`, `park`, `stop`, `save`, `sample`: asking a run's engine for something."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from cockpit.commands.common.arguments import add_run, run_of
from cockpit.commands.common.status_words import how_to_go_on
from engine.runs.layout import RunPaths
from engine.runs.store.opening import NoEngine, NotReady, open_reader, status_of
from engine.runs.store.rows import Outcome
from engine.words.printable import message

WHO = "the command line"

# After so long on a terminal, the wait is explained.
_PATIENCE_SECONDS = 2.0


def configure(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--no-wait", action="store_true", help="ask, and do not wait for the outcome")
    verb = parser.prog.split()[-1]
    parser.epilog = (
        f"Exit code 1 if no engine is running or it could not be done.\n\nexample:\n  cxr-cockpit {verb} demo"
    )


def run(options: argparse.Namespace) -> int:
    outcome = ask(run_of(options), options.verb, wait=not options.no_wait)
    if outcome is None:
        print(f"asked for {options.verb}")
        return 0
    if outcome.state == "done":
        print(message(outcome.text))
        return 0
    print(f"cxr-cockpit: {options.verb}: {message(outcome.text)}", file=sys.stderr)
    return 1


def ask(
    paths: RunPaths, verb: str, arguments: Mapping[str, Any] | None = None, wait: bool = True
) -> Outcome | None:
    """What the engine made of it; None if nobody waits. Without an engine, an outcome that says so."""
    try:
        reader = open_reader(paths)
    except NotReady as error:
        return Outcome("void", str(error))
    with reader:
        try:
            command = reader.request(verb, arguments, who=WHO)
        except NoEngine as error:
            return Outcome(
                "void", "; ".join(filter(None, [str(error), how_to_go_on(status_of(paths), paths)]))
            )
        if not wait:
            return None
        try:
            return reader.wait_outcome(command, _PATIENCE_SECONDS)
        except TimeoutError:
            if sys.stderr.isatty():
                print(f"waiting for the engine ({reader.status().state}) …", file=sys.stderr)
            return reader.wait_outcome(command)
