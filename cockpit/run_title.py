"""The run that is open, and how far it is, as the title of the terminal tells it."""

from __future__ import annotations

from textual.message import Message

from cockpit.toolkit.figures import stage_letter
from engine.runs.layout import RunPaths
from engine.runs.status import Status
from engine.runs.store.opening import NotReady, RunReader, open_reader, status_of
from engine.words.printable import one_line

LONGEST = 60
"""Characters of a run's name at most."""


def title_of(status: Status) -> str:
    """`night B 921/1664 55 %`; the state behind it where it does not train, alone where it is finished."""
    parts = [one_line(status.run)[:LONGEST]]
    if status.stage and status.step is not None and status.state != "finished":
        of = f"/{status.steps} {100 * status.step // status.steps} %" if status.steps else ""
        parts.append(f"{one_line(stage_letter(status.stage))} {status.step}{of}")
    if status.stalled or status.state != "training":
        parts.append("stalled" if status.stalled else status.state)
    return " ".join(parts)


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
