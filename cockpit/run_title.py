"""The title of the terminal, or of its pane: which run, and how far; what stood there before is put back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TextIO

from textual.message import Message

from cockpit.toolkit.figures import stage_letter
from engine.runs.layout import RunPaths
from engine.runs.status import Status
from engine.runs.store.opening import NotReady, RunReader, open_reader, status_of
from engine.words.printable import one_line

KEEP = "\x1b[22;2t"
"""Puts the title on the terminal's stack of titles."""
PUT_BACK = "\x1b]2;\x1b\\\x1b[23;2t"
"""Takes it from there; where there is no such stack, no title is left rather than one that is not true any more."""
LONGEST = 60
_UNTITLED = ("", "dumb", "linux")
"""Values of TERM without titles: some consoles would print them."""


def has_title(environment: Mapping[str, str]) -> bool:
    """Whether the terminal has a title that can be set."""
    return environment.get("TERM", "") not in _UNTITLED


def title_of(status: Status) -> str:
    """`night B 921/1664 55 %`; the state behind it where it does not train, alone where it is finished."""
    parts = [one_line(status.run)[:LONGEST]]
    if status.stage and status.step is not None and status.state != "finished":
        of = f"/{status.steps} {100 * status.step // status.steps} %" if status.steps else ""
        parts.append(f"{one_line(stage_letter(status.stage))} {status.step}{of}")
    if status.stalled or status.state != "training":
        parts.append("stalled" if status.stalled else status.state)
    return " ".join(parts)


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


class TitleArrived(Message):
    """The title of the run that is open."""

    def __init__(self, paths: RunPaths, title: str) -> None:
        super().__init__()
        self.paths = paths
        self.title = title

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, TitleArrived)


class TitleWatch:
    """Reads the title of one run; see `cockpit.toolkit.background.Readable`."""

    def __init__(self, paths: RunPaths) -> None:
        self._paths = paths
        self._reader: RunReader | None = None

    def read(self) -> str:
        try:
            self._reader = self._reader or open_reader(self._paths)
        except NotReady:
            return title_of(status_of(self._paths))
        return title_of(self._reader.status())

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
