"""What can be done with the standard streams: whether there is a terminal, and what may be written to it."""

from __future__ import annotations

import sys


def is_terminal() -> bool:
    """Whether there is someone to show the app to: it reads standard input and draws on standard error."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def writes_unicode() -> bool:
    """Whether what is written to the terminal may be more than ASCII: the locale decides that."""
    return (sys.stdout.encoding or "ascii").lower().startswith("utf")
