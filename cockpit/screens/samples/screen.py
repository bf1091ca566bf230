"""The Samples screen: what the model wrote about each case, at every checkpoint."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget

from cockpit.actions.action import Action
from cockpit.actions.common import moved
from cockpit.screens.samples import actions as keys
from cockpit.screens.samples import choice as choices
from cockpit.screens.samples.actions import SAMPLES_ACTIONS
from cockpit.screens.samples.board import samples_frame
from cockpit.screens.samples.choice import Choice, SamplesView
from cockpit.screens.samples.full_text import full_text
from cockpit.screens.samples.source import SamplesSource, empty_book
from cockpit.screens.shared.base import RunScreen
from cockpit.screens.shared.run_header import RunHeader
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.graphics.film import PLAIN_VIEW, Thumbnail
from cockpit.toolkit.lines import clean
from cockpit.toolkit.modals.choose import Choose
from cockpit.toolkit.modals.prompt import Prompt
from cockpit.toolkit.modals.reading import Reading
from cockpit.toolkit.panels import Panel
from cockpit.views.header import header_of
from engine.stages import STAGE_NAMES

REST_SECONDS = 0.12
"""A case must be looked at so long before its film is read: who walks on does not wait for films."""
FILMS_KEPT = 24


class FilmRead(Message):
    """A film, or why there is none; None if none is wanted."""

    def __init__(self, name: str, film: Thumbnail | str | None) -> None:
        super().__init__()
        self.name = name
        self.film = film


class Samples(RunScreen[SamplesSource]):
    """Cases beside their film, their texts and their labels."""

    ACTIONS: ClassVar[tuple[Action[Any], ...]] = SAMPLES_ACTIONS

    def __init__(
        self, run: str, open_source: Callable[[], SamplesSource], glyphs: Glyphs, poll_seconds: float
    ) -> None:
        super().__init__(open_source, glyphs, poll_seconds)
        self.view = SamplesView(empty_book(run))
        self._films: OrderedDict[str, Thumbnail | str | None] = OrderedDict()
        self._rest: Timer | None = None
        self._wanted = ""

    def body(self) -> Iterable[Widget]:
        yield RunHeader(header_of("samples", self.host.ways), self.glyphs, id="header")
        yield Panel(samples_frame, self.glyphs, id="board")

    def known(self) -> SamplesView:
        return self.view

    def arrived(self, state: Any) -> None:
        self._take(choices.view_of(state, self.view.choice, self.view))

    def draw(self) -> None:
        summary = replace(self.view.book.summary, trouble=self.trouble, alerts=self.alert_count)
        self.view = replace(self.view, book=replace(self.view.book, summary=summary))
        self.query_one("#header", Panel).show(summary)
        self.query_one("#board", Panel).show(self.view)

    def offered(self) -> Sequence[Action[Any]]:
        return keys.FILM_KEYS if self.view.film_open else super().offered()

    def choose(self, choice: Choice) -> None:
        """Show another choice."""
        self._take(choices.view_of(self.view.book, choice, self.view))
        self._draw()

    def _take(self, view: SamplesView) -> None:
        """Another list and selection; how the film is looked at stays."""
        self.view = replace(
            view,
            film=self.view.film,
            film_open=self.view.film_open,
            look=self.view.look,
            blanked=self.view.blanked and view.blank_text is not None,
        )
        self._want_film()

    def back_out(self) -> bool:
        choice = self.view.choice
        if self.view.film_open:
            self._look(film_open=False, look=PLAIN_VIEW)
        elif self.view.blanked:
            self._look(blanked=False)
        elif choice.search or choice.label or choice.stage:
            self.choose(replace(choice, search="", label="", stage=""))
        else:
            return False
        return True

    def carry_out(self, action: Action[Any]) -> None:
        view = self.view
        if action in (keys.NEXT, keys.PREVIOUS):
            self.choose(choices.of_line(view, view.selected + (1 if action is keys.NEXT else -1)))
        elif action in (keys.EARLIER, keys.LATER):
            self._walk(1 if action is keys.LATER else -1)
        elif action in keys.JUMPS.values():
            self.choose(choices.of_line(view, moved(action, view.selected, len(view.listed)) or 0))
        elif action in keys.ARROWS.values():
            self._arrow(action.id.removeprefix("samples."))
        elif action is keys.STAGE:
            order = ("", *STAGE_NAMES)
            self.choose(replace(view.choice, stage=order[(order.index(view.choice.stage) + 1) % len(order)]))
        elif action is keys.ORDER:
            order = choices.ORDERS
            following = order[(order.index(view.choice.order) + 1) % len(order)]
            self.choose(replace(view.choice, case=None, order=following))
        elif action is keys.SEARCH:
            self.app.push_screen(Prompt("Find in the texts", view.choice.search, "finds"), self._searched)
        elif action is keys.LABEL:
            self._choose_label()
        elif action is keys.BLANKED:
            self._look(blanked=not view.blanked)
        elif action is keys.READ:
            self._read()
        elif action is keys.PATH:
            self._open_file()
        elif action is keys.COPY and view.shown is not None:
            self.host.copy_text(view.shown.written.text)
        else:
            self._look_at_film(action)

    def _arrow(self, key: str) -> None:
        if self.view.film_open:
            step = 0.15 / self.view.look.zoom
            across = {"left": -step, "right": step}.get(key, 0.0)
            down = {"up": -step, "down": step}.get(key, 0.0)
            look = self.view.look
            look = replace(look, x=_held(look.x + across), y=_held(look.y + down))
            self._look(look=look)
        elif key in ("up", "down"):
            self.choose(choices.of_line(self.view, self.view.selected + (1 if key == "down" else -1)))
        else:
            self._walk(1 if key == "right" else -1)

    def _walk(self, by: int) -> None:
        choice = choices.walked(self.view, by)
        if choice is not None:
            self.choose(choice)

    def _look_at_film(self, action: Action[Any]) -> None:
        look = self.view.look
        if action is keys.FILM:
            self._look(film_open=not self.view.film_open, look=PLAIN_VIEW)
        elif action in (keys.CLOSER, keys.AWAY):
            zoom = look.zoom * (1.5 if action is keys.CLOSER else 1 / 1.5)
            self._look(look=replace(look, zoom=round(min(8.0, max(1.0, zoom)), 2)))
        elif action is keys.INVERT:
            self._look(look=replace(look, inverted=not look.inverted))
        elif action in (keys.NARROWER, keys.WIDER):
            window = look.window + (-32 if action is keys.NARROWER else 32)
            self._look(look=replace(look, window=min(512, max(32, window))))
        else:
            level = look.level + (-16 if action is keys.BRIGHTER else 16)
            self._look(look=replace(look, level=min(240, max(16, level))))

    def _look(self, **changes: Any) -> None:
        self.view = replace(self.view, **changes)
        self._draw()

    def _searched(self, words: str | None) -> None:
        if words is not None:
            self.choose(replace(self.view.choice, search=words))

    def _choose_label(self) -> None:
        if self.view.choice.label:
            self.choose(replace(self.view.choice, label=""))
            return
        counts = choices.label_counts(self.view)
        if not counts:
            self.say(f"these weights wrote about no case with labels: {keys.STAGE.key_name} chooses stage A")
            return

        def chosen(label: str | None) -> None:
            if label:
                self.choose(replace(self.view.choice, label=label))

        self.app.push_screen(Choose("Only cases with", counts, self.glyphs), chosen)

    def _read(self) -> None:
        shown = self.view.shown
        if shown is not None:
            title = f"{clean(shown.case.case)}   {clean(shown.case.image)}"
            view, glyphs = self.view, self.glyphs
            self.app.push_screen(
                Reading(title, lambda width: full_text(view, width, glyphs), glyphs, shown.written.text)
            )

    def _open_file(self) -> None:
        shown = self.view.shown
        if shown is not None:
            name = shown.case.image
            self.background.do(lambda source: self.background.answer(True, source.open_film(name)))

    def _want_film(self) -> None:
        """Show the case's film if it is known; else read it once the case is looked at for a moment."""
        shown = self.view.shown
        name = shown.case.image if shown else ""
        if name in self._films:
            self._films.move_to_end(name)
            self.view = replace(self.view, film=self._films[name])
            return
        self.view = replace(self.view, film="" if self.view.film is not None else None)
        if name and name != self._wanted:
            self._wanted = name
            if self._rest is not None:
                self._rest.stop()
            self._rest = self.set_timer(REST_SECONDS, self._read_film)

    def _read_film(self) -> None:
        name = self._wanted
        self.background.do(lambda source: FilmRead(name, source.film(name)))

    @on(FilmRead)
    def _film_read(self, message: FilmRead) -> None:
        self._films[message.name] = message.film
        while len(self._films) > FILMS_KEPT:
            self._films.popitem(last=False)
        self._wanted = "" if message.name == self._wanted else self._wanted
        self._want_film()
        self._draw()


def _held(share: float) -> float:
    return min(1.0, max(0.0, share))
