"""The title of the terminal, or of its pane, as control sequences; what stood there before is put back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TextIO

from engine.words.printable import one_line

KEEP = "\x1b[22;2t"
"""Puts the title on the terminal's stack of titles."""
PUT_BACK = "\x1b]2;\x1b\\\x1b[23;2t"
"""Takes it from there; where there is no such stack, no title is left rather than one that is not true any more."""
_UNTITLED = ("", "dumb", "linux")
"""Values of TERM without titles: some consoles would print them."""


def has_title(environment: Mapping[str, str]) -> bool:
    """Whether the terminal has a title that can be set."""
    return environment.get("TERM", "") not in _UNTITLED


def setting(title: str) -> str:
    """The control sequence that sets the title; nothing in it but the sequence itself is obeyed."""
    return f"\x1b]2;{one_line(title)}\x1b\\"


@contextlib.contextmanager
def title_kept(stream: TextIO | None) -> Iterator[None]:
    """Whatever is set within, the title is afterwards what it was. Without a stream nothing is sent."""
    _send(stream, KEEP)
    try:
        yield
    finally:
        _send(stream, PUT_BACK)


def _send(stream: TextIO | None, sequence: str) -> None:
    if stream is not None:
        with contextlib.suppress(OSError, ValueError):  # after a hang-up there is no terminal to put right
            stream.write(sequence)
            stream.flush()
