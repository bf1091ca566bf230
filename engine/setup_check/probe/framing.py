"""Answers of child processes, each on a line that begins with a mark (the record separator of RFC 7464).

What else a process prints is not the answer: a wrapper before Python runs, sitecustomize while it starts, a library
in between, a hook at exit.
"""

from __future__ import annotations

MARK = "\x1e"


def framed(text: str) -> str:
    """One line, without its end, that `answer` finds."""
    return MARK + text


def answer(output: str) -> str | None:
    """What the last marked line says, also where something was printed before it on that line; None without one."""
    _, mark, after = output.rpartition(MARK)
    return after.partition("\n")[0].rstrip("\r") if mark else None
