"""The Data screen: what the run learns from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.events import Resize
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget

from cockpit.actions.action import Action
from cockpit.actions.common import moved
from cockpit.screens.data import actions as keys
from cockpit.screens.data import facts as data_facts
from cockpit.screens.data.actions import DATA_ACTIONS
from cockpit.screens.data.browser import browser_frame, data_text
from cockpit.screens.data.overview import overview_frame
from cockpit.screens.data.source import DataBackground, DataSource
from cockpit.screens.data.state import Counted, DataState, DataView
from cockpit.screens.shared.base import RunScreen
from cockpit.screens.shared.run_header import RunHeader
from cockpit.toolkit.figures import stage_letter
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.graphics.film import Thumbnail
from cockpit.toolkit.lines import Frame, clean, in_role, wrap
from cockpit.toolkit.modals.choose import Choose
from cockpit.toolkit.modals.prompt import Prompt
from cockpit.toolkit.modals.reading import Reading
from cockpit.toolkit.panels import Panel
from cockpit.views.header import header_of
from cockpit.views.run_summary import RunSummary
from engine.words.plural import counted

REST_SECONDS = 0.12
"""A sample must be looked at so long before its film is read."""
OVERVIEW_ROWS = 24
ROOMY_ROWS = 46
"""Rows of the terminal from which overview and browser are both shown."""


class SampleRead(Message):
    """A sample's film and its tokens."""

    def __init__(self, id: str, film: Thumbnail | str | None, counted: Counted | None) -> None:
        super().__init__()
        self.id = id
        self.film = film
        self.counted = counted


def data_frame(view: DataView, width: int, height: int, glyphs: Glyphs) -> Frame:
    """The browser or the overview; on high screens the one under the other."""
    if not view.state.samples:
        return overview_frame(view.state, width, height, glyphs)
    if view.browsing:
        return browser_frame(view, width, height, glyphs)
    if not view.roomy:
        return overview_frame(view.state, width, height, glyphs)
    upper = overview_frame(view.state, width, OVERVIEW_ROWS, glyphs)
    upper += [[] for _ in range(OVERVIEW_ROWS + 1 - len(upper))]
    rule: Frame = [[(glyphs.rule * width, "faint")]]
    return [*upper, *rule, *browser_frame(view, width, height - len(upper) - 1, glyphs)]


class Data(RunScreen[DataSource]):
    """Overview first; the browser on a key."""

    ACTIONS: ClassVar[tuple[Action[Any], ...]] = DATA_ACTIONS

    def __init__(
        self, run: str, open_source: Callable[[], DataSource], glyphs: Glyphs, poll_seconds: float
    ) -> None:
        super().__init__(open_source, glyphs, poll_seconds)
        self.view = DataView(DataState(RunSummary(run)))
        self._rest: Timer | None = None
        self._read = SampleRead("", None, None)

    def make_background(self, open_source: Callable[[], DataSource], poll_seconds: float) -> DataBackground:
        return DataBackground(open_source, self.post_message, poll_seconds)

    def body(self) -> Iterable[Widget]:
        yield RunHeader(header_of("data", self.host.ways), self.glyphs, id="header")
        yield Panel(data_frame, self.glyphs, id="board")

    def on_mount(self) -> None:
        self.call_after_refresh(self._draw)  # a long curriculum takes a moment: say so

    def known(self) -> DataView:
        return self.view

    def arrived(self, state: Any) -> None:
        fresh = state.samples is not self.view.state.samples
        self.view = replace(self.view, state=state)
        if fresh:
            self._list()

    def draw(self) -> None:
        summary = replace(self.view.state.summary, trouble=self.trouble, alerts=self.alert_count)
        self.view = replace(self.view, state=replace(self.view.state, summary=summary))
        self.query_one("#header", Panel).show(summary)
        self.query_one("#board", Panel).show(self.view)

    @on(Resize)
    def _resized(self, event: Resize) -> None:
        self.view = replace(self.view, roomy=event.size.height >= ROOMY_ROWS)
        self._want_sample()

    def back_out(self) -> bool:
        if self.view.search or self.view.part != ("", ""):
            self._list(part=("", ""), search="")
        elif self.view.browsing:
            self.view = replace(self.view, browsing=False)
        else:
            return False
        self._draw()
        return True

    def carry_out(self, action: Action[Any]) -> None:
        view = self.view
        place = moved(action, view.selected, len(view.listed))
        if place is not None:
            self._select(place)
        elif action is keys.BROWSE:
            self.view = replace(view, browsing=not view.browsing)
            self._want_sample()
        elif action is keys.SEARCH:
            self.app.push_screen(Prompt("Only samples with", view.search, "filters"), self._searched)
        elif action is keys.PART:
            self._choose_part()
        elif action is keys.READ and view.shown is not None:
            sample, glyphs = view.shown, self.glyphs
            self.app.push_screen(
                Reading(clean(sample.id), lambda width: data_text(sample, width, glyphs), glyphs)
            )
        elif action is keys.PATH and view.shown is not None:
            shown = view.shown
            self.background.do(lambda source: self.background.answer(True, source.open_film(shown)))
        elif action is keys.MISSING:
            self._list_missing()
        elif action is keys.CHECK:
            self._check_films()
        self._draw()

    def _check_films(self) -> None:
        def job(source: DataSource) -> None:
            source.decode_films()

        self.background.do(job)

    def _list(self, **changes: Any) -> None:
        """The list anew, the selected sample held where it still fits."""
        held = self.view.shown
        view = replace(self.view, **changes)
        rows = data_facts.listed(view.state.samples, view.part, view.search)
        selected = next((place for place, one in enumerate(rows) if held and one.id == held.id), 0)
        self.view = replace(view, listed=rows, selected=selected)
        self._want_sample()

    def _select(self, place: int) -> None:
        self.view = replace(self.view, selected=place)
        self._want_sample()

    def _searched(self, words: str | None) -> None:
        if words is not None:
            self._list(search=words, browsing=True)
            self._draw()

    def _choose_part(self) -> None:
        parts = data_facts.parts(self.view.state.samples)
        names = {
            "all" if part == ("", "") else f"stage {stage_letter(part[0])} {part[1]}": part
            for part, _ in parts
        }
        options = [(name, counted(number, "sample")) for name, (_, number) in zip(names, parts, strict=True)]

        def chosen(name: str | None) -> None:
            if name is not None:
                self._list(part=names[name], browsing=True)
                self._draw()

        self.app.push_screen(Choose("Samples of", options, self.glyphs), chosen)

    def _list_missing(self) -> None:
        films = self.view.state.films
        names = [*films.missing, *films.damaged]

        def lines(width: int) -> Frame:
            return [line for name in names for line in in_role(wrap(name, width - 2, 3), "text")]

        self.app.push_screen(Reading("Films that are missing or damaged", lines, self.glyphs))

    def _want_sample(self) -> None:
        """Read film and tokens of the shown sample once it is looked at for a moment."""
        kept = self._read if self.view.shown is not None and self._read.id == self.view.shown.id else None
        if kept is not None:
            self.view = replace(self.view, film=kept.film, counted=kept.counted)
            return
        self.view = replace(self.view, film="" if self.view.film is not None else None, counted=None)
        if self._rest is not None:
            self._rest.stop()
        if (self.view.browsing or self.view.roomy) and self.view.shown is not None:
            self._rest = self.set_timer(REST_SECONDS, self._read_sample)

    def _read_sample(self) -> None:
        sample = self.view.shown
        if sample is not None:
            self.background.do(
                lambda source: SampleRead(sample.id, source.film(sample), source.counted(sample))
            )

    @on(SampleRead)
    def _sample_read(self, message: SampleRead) -> None:
        if self.view.shown is not None and self.view.shown.id == message.id:
            self._read = message
            self._want_sample()
            self._draw()
