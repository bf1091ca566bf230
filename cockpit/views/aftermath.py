"""What is left of a run that ended badly, looked up once for each end."""

from __future__ import annotations

from engine.runs.aftermath import Aftermath, aftermath
from engine.runs.layout import RunPaths
from engine.runs.status import Status


class AftermathReader:
    """The aftermath of one run, for a source that reads on a beat."""

    def __init__(self, paths: RunPaths) -> None:
        self._paths = paths
        self._known: tuple[tuple[int, str], Aftermath | None] | None = None

    def of(self, status: Status) -> Aftermath | None:
        """None for a run that did not end badly. UserError as `aftermath`."""
        end = (status.attempt, status.state)
        if self._known is None or self._known[0] != end:
            self._known = end, aftermath(self._paths, status)
        return self._known[1]
