"""The Log screen: training.log followed, and why a run ended badly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.events import Resize
from textual.message import Message
from textual.widget import Widget

from cockpit.actions.action import Action
from cockpit.screens.log import actions as keys
from cockpit.screens.log.actions import LOG_ACTIONS
from cockpit.screens.log.board import heading_rows, log_frame
from cockpit.screens.log.source import LogSource
from cockpit.screens.log.state import LEVELS, LogState
from cockpit.screens.shared.base import RunScreen
from cockpit.screens.shared.run_header import RunHeader
from cockpit.toolkit.background import Answered
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import clean, in_role, wrap
from cockpit.toolkit.modals.prompt import Prompt
from cockpit.toolkit.modals.reading import Reading
from cockpit.toolkit.panels import Panel
from cockpit.views.header import header_of
from cockpit.views.run_summary import RunSummary

ALL = 1 << 62


class Log(RunScreen[LogSource]):
    """The place in the log is kept by the source; keys move it there."""

    ACTIONS: ClassVar[tuple[Action[Any], ...]] = LOG_ACTIONS

    def __init__(
        self, run: str, open_source: Callable[[], LogSource], glyphs: Glyphs, poll_seconds: float
    ) -> None:
        super().__init__(open_source, glyphs, poll_seconds)
        self._run = run
        self.state: LogState | None = None
        self._rows = 0

    def body(self) -> Iterable[Widget]:
        yield RunHeader(header_of("log", self.host.ways), self.glyphs, id="header")
        yield Panel(log_frame, self.glyphs, id="board")

    def known(self) -> LogState | None:
        return self.state

    def arrived(self, state: Any) -> None:
        self.state = state

    def draw(self) -> None:
        state = self.state or LogState(RunSummary(self._run))
        state = replace(state, summary=replace(state.summary, trouble=self.trouble, alerts=self.alert_count))
        self.query_one("#header", Panel).show(state.summary)
        board = self.query_one("#board", Panel)
        board.show(state)
        rows = board.size.height - heading_rows(state, board.size.width, self.glyphs)
        if rows != self._rows and rows > 0:
            self._rows = rows
            self._ask(lambda source: source.resize(rows))

    @on(Resize)
    def _resized(self) -> None:
        self.call_after_refresh(self._draw)

    def back_out(self) -> bool:
        if self.state is None or not self.state.filtered:
            return False
        self._ask(lambda source: source.choose("", LEVELS[0]))
        return True

    def carry_out(self, action: Action[Any]) -> None:
        state = self.state
        if action in (keys.NEXT_ERROR, keys.PREVIOUS_ERROR):
            self._jump(back=action is keys.PREVIOUS_ERROR)
        elif action is keys.SEARCH:
            preset = state.words if state else ""
            self.app.push_screen(Prompt("Only lines with", preset, "filters"), self._searched)
        elif action is keys.LEVEL and state is not None:
            level = LEVELS[(LEVELS.index(state.level) + 1) % len(LEVELS)]
            self._ask(lambda source: source.choose(state.words, level))
        elif action is keys.READ and state is not None and state.line is not None:
            text = clean(state.line.text)
            self.app.push_screen(
                Reading("training.log", lambda width: _wrapped(text, width), self.glyphs, text)
            )
        elif action is keys.FOLLOW:
            self._ask(lambda source: source.follow())
        elif action.id in _MOVES:  # reading and levels wait for the first lines
            self._move(*_MOVES[action.id])

    def _searched(self, words: str | None) -> None:
        if words is not None:
            level = self.state.level if self.state else LEVELS[0]
            self._ask(lambda source: source.choose(words, level))

    def _jump(self, back: bool) -> None:
        def job(source: LogSource) -> Message | None:
            if source.next_error(back):
                return None
            return Answered(True, "no error above this line" if back else "no error below this line")

        self.background.do(job)

    def _move(self, move: Callable[[LogSource], bool], at_end: str) -> None:
        """The source alone knows where the log stands now: keys may be quicker than what is read."""

        def job(source: LogSource) -> Message | None:
            return None if move(source) else Answered(True, at_end)

        self.background.do(job)

    def _ask(self, change: Callable[[LogSource], None]) -> None:
        def job(source: LogSource) -> None:
            change(source)

        self.background.do(job)


_FIRST, _LAST = "this is the first line", "this is the last line"
_MOVES: dict[str, tuple[Callable[[LogSource], bool], str]] = {
    keys.DOWN.id: (lambda source: source.move(1), _LAST),
    keys.UP.id: (lambda source: source.move(-1), _FIRST),
    keys.PAGE_DOWN.id: (lambda source: source.page(1), _LAST),
    keys.PAGE_UP.id: (lambda source: source.page(-1), _FIRST),
    keys.FIRST.id: (lambda source: source.move(-ALL), _FIRST),
}
"""What a key does, and what is said where it cannot."""


def _wrapped(text: str, width: int) -> Any:
    return in_role([f" {line}" for line in wrap(text, width - 2, 10_000)], "text")
