"""What the Log screen shows, as one immutable value."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.views.run_summary import RunSummary

LEVELS = ("all lines", "warnings and errors", "errors")


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line as it stands in the file; `level` is "info", "warning" or "error"."""

    text: str
    level: str


@dataclass(frozen=True, slots=True)
class LogState:
    """The lines in view: `lines` begin at line `first` of the `total` that fit the filter.

    `error` is why the run ended, if it ended badly, `advice` the same in plain words. `left_out` counts bytes.
    """

    summary: RunSummary
    lines: tuple[LogLine, ...] = ()
    first: int = 0
    selected: int = 0
    total: int = 0
    every: int = 0
    errors: int = 0
    following: bool = True
    words: str = ""
    level: str = LEVELS[0]
    left_out: int = 0
    error: str = ""
    advice: str = ""

    @property
    def filtered(self) -> bool:
        return bool(self.words) or self.level != LEVELS[0]

    @property
    def line(self) -> LogLine | None:
        """The selected one."""
        place = self.selected - self.first
        return self.lines[place] if 0 <= place < len(self.lines) else None
