"""How a child of the command line ended: its own exit code, or a word where it could say none."""

from __future__ import annotations

import signal
import sys


def exit_code(returncode: int, what: str = "the engine", plan: str = "cxr-cockpit plan CONFIG") -> int:
    """The exit code to end with. A child that a signal ended said nothing itself, so that is told here.

    what: the child, in words. plan: the command that tells what memory it takes.
    """
    if returncode >= 0:
        return returncode
    hint = f"; if memory ran out, `{plan}` tells what fits" if -returncode == signal.SIGKILL else ""
    print(
        f"cxr-cockpit: {what} was ended by signal {-returncode} ({_name(-returncode)}){hint}", file=sys.stderr
    )
    return 1


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return "unnamed"
