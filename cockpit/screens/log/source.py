"""Follows a run's training.log. Lives on the screen's thread; what keys change of the view is changed here."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left

from cockpit.actions.common import resume_key
from cockpit.screens.log.log_file import ERROR, WARNING, LogFile
from cockpit.screens.log.state import LEVELS, LogLine, LogState
from cockpit.views.run_summary import NEEDS_A_HAND, AftermathReader, summary_of
from engine.runs.aftermath import Aftermath
from engine.runs.layout import RunPaths
from engine.runs.status import Status
from engine.runs.store.opening import NotReady, RunReader, open_reader, status_of

_LEVEL_PATTERNS = {
    LEVELS[1]: re.compile(ERROR.pattern + rb"|" + WARNING.pattern),
    LEVELS[2]: ERROR,
}


class LogSource:
    """Holds the place in the log: it follows the end until somebody moves away from it."""

    def __init__(self, paths: RunPaths) -> None:
        self._paths = paths
        self._file = LogFile(paths.log)
        self._reader: RunReader | None = None
        self._height = 20
        self._first = 0
        self._selected = 0
        self._following = True
        self._words = ""
        self._level = LEVELS[0]
        self._fitting: array[int] | None = None
        self._looked_at = 0
        self._opened = False
        self._aftermath = AftermathReader(paths)

    def read(self) -> LogState:
        status = self._status()
        ended_badly = status.state in NEEDS_A_HAND
        if self._file.refresh():
            self._fit_new_lines()
        if not self._opened:
            self._opened = True
            if ended_badly and self._file.errors:
                self._go(self._place_of(self._file.errors[-1]))
        self._settle()
        numbers = [self._number(place) for place in range(self._first, self._upto())]
        return LogState(
            summary=summary_of(status),
            lines=tuple(self._line(number) for number in numbers),
            first=self._first,
            selected=self._selected,
            total=self._total,
            every=self._file.count,
            errors=len(self._file.errors),
            following=self._following,
            words=self._words,
            level=self._level,
            left_out=self._file.left_out,
            error=(status.error or "") if ended_badly else "",
            advice=self._advice(status),
        )

    def _advice(self, status: Status) -> str:
        """Why, what mends it and what is safe."""
        after = self._aftermath.of(status)
        return advice_of(after, status) if after else ""

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    # --- what keys do -----------------------------------------------------------------------------------

    def resize(self, height: int) -> None:
        """So many lines are seen."""
        self._height = max(1, height)

    def move(self, by: int) -> bool:
        """Select another line; the last one is followed. False if there was none that way."""
        before = self._selected, self._following
        self._go(self._selected + by)
        self._following = self._selected >= self._total - 1
        return (self._selected, self._following) != before

    def page(self, by: int) -> bool:
        """As `move`, by what is seen at once."""
        return self.move(by * max(1, self._height - 2))

    def follow(self) -> None:
        """To the end, and stay there."""
        self._following = True

    def next_error(self, back: bool = False) -> bool:
        """To the next line that says what went wrong; False if there is none that way."""
        here = self._number(self._selected) if self._total else 0
        find = self._file.error_before if back else self._file.error_after
        found = find(here)
        if found is None:
            return False
        if self._fitting is not None and self._number(self._place_of(found)) != found:
            self.choose("", LEVELS[0])
        self._go(self._place_of(found))
        self._following = False
        return True

    def choose(self, words: str, level: str) -> None:
        """Show only lines with these words and at least that level."""
        here = self._number(self._selected) if self._total else 0
        self._words, self._level = words, level
        self._fitting = None if not words and level == LEVELS[0] else array("Q")
        self._looked_at = 0
        self._fit_new_lines()
        self._go(self._place_of(here))

    # --- inside -----------------------------------------------------------------------------------------

    @property
    def _total(self) -> int:
        return self._file.count if self._fitting is None else len(self._fitting)

    def _number(self, place: int) -> int:
        """The line's number in the file."""
        if self._fitting is None:
            return place
        return self._fitting[min(place, len(self._fitting) - 1)] if self._fitting else 0

    def _place_of(self, number: int) -> int:
        """Where the line, or the next one that fits, stands among those that fit."""
        return number if self._fitting is None else bisect_left(self._fitting, number)

    def _go(self, place: int) -> None:
        self._selected = min(max(0, place), max(0, self._total - 1))
        self._following = False

    def _settle(self) -> None:
        """Keep the selected line in view, with as little movement as that takes."""
        if self._following:
            self._selected = max(0, self._total - 1)
        self._selected = min(self._selected, max(0, self._total - 1))
        lowest = max(0, self._total - self._height)
        if self._following:
            self._first = lowest
        elif not self._first <= self._selected < self._first + self._height:
            self._first = self._selected - self._height // 2
        self._first = min(max(0, self._first), lowest)

    def _upto(self) -> int:
        return min(self._total, self._first + self._height)

    def _line(self, number: int) -> LogLine:
        return LogLine(self._file.line(number).decode("utf-8", "replace"), self._file.level_of(number))

    def _fit_new_lines(self) -> None:
        if self._fitting is None:
            return
        if self._looked_at > self._file.count:  # the file was replaced
            self._fitting, self._looked_at = array("Q"), 0
        # The last line may have been half written when it was looked at.
        begin = max(0, self._looked_at - 1)
        while self._fitting and self._fitting[-1] >= begin:
            self._fitting.pop()
        words = re.compile(re.escape(self._words.encode()), re.IGNORECASE)
        level = _LEVEL_PATTERNS.get(self._level)
        for number in self._file.matching(words, begin):
            if level is None or level.search(self._file.line(number)):
                self._fitting.append(number)
        self._looked_at = self._file.count

    def _status(self) -> Status:
        if self._reader is None:
            try:
                self._reader = open_reader(self._paths)
            except NotReady:
                return status_of(self._paths)
        return self._reader.status()


def advice_of(after: Aftermath, status: Status) -> str:
    """`The memory was not enough: a smaller batch_size …. Safe: checkpoint …. s on Flight goes on.`"""
    reason = "" if after.reason == status.error else after.reason
    why = ": ".join(part for part in (reason, after.hint) if part)
    parts = [why[:1].upper() + why[1:], f"Safe: {after.safe}", f"{resume_key()} on Flight goes on"]
    return ". ".join(part for part in parts if part) + "."
