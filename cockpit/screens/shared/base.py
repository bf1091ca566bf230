"""What the screens have in common: keys from their actions, help, a thread that reads, a smallest size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar, cast

from textual import on
from textual.app import ComposeResult
from textual.events import Resize, ScreenResume, ScreenSuspend
from textual.screen import Screen
from textual.widget import Widget

from cockpit.actions.action import Action, bindings, keys_that_work
from cockpit.actions.common import ALERTS, BACK, HELP, LEAVE
from cockpit.screens.shared.help import Help
from cockpit.screens.shared.host import Host
from cockpit.textual_internals import TerminalSized, add_keys
from cockpit.toolkit.background import Answered, Arrived, Background, Readable, Trouble
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.key_bar import KeyBar
from cockpit.toolkit.lines import Frame, clean, cut
from cockpit.toolkit.modals.confirm import Confirm
from cockpit.toolkit.modals.reading import Reading
from cockpit.toolkit.panels import Notice

SMALLEST = (60, 20)
"""Columns and rows below which only a line says that the terminal is too small."""

TITLES_SHOWN = 3

S = TypeVar("S", bound=Readable)


def unwell_question(titles: Sequence[str], setup_key: str) -> tuple[str, ...]:
    """What the setup check found, for whoever is about to start an engine."""
    more = f"and {len(titles) - TITLES_SHOWN} more" if len(titles) > TITLES_SHOWN else ""
    shown = (cut(clean(title), 54) for title in titles[:TITLES_SHOWN])
    heading = f"The setup check says ({setup_key} shows more):"
    return (heading, *shown, *([more] if more else []))


class CockpitScreen(TerminalSized, Screen[None]):
    """A screen whose keys come from its actions."""

    ACTIONS: ClassVar[tuple[Action[Any], ...]] = ()

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self.glyphs = glyphs
        add_keys(self, bindings(self.ACTIONS))

    @property
    def host(self) -> Host:
        """The app that shows this screen."""
        return cast(Host, self.app)

    @property
    def arrows_move(self) -> bool:
        """Whether there is something that arrow keys, and so the wheel, move."""
        return True

    def offered(self) -> Sequence[Action[Any]]:
        """What the keys are about now, for footer and help: the actions of what is open on the screen."""
        return self.ACTIONS

    def known(self) -> Any:
        """What the actions of this screen are asked with."""
        return None

    def carry_out(self, action: Action[Any]) -> None:
        """Do what the action says; it has no reason against it."""
        raise NotImplementedError

    def legend(self) -> Frame:
        """What the help explains besides keys."""
        return []

    def action_named(self, id: str) -> Action[Any]:
        """One of this screen's actions, or the way to a screen, by its id."""
        return next(one for one in (*self.ACTIONS, *self.host.ways.values()) if one.id == id)

    def action_take(self, id: str) -> None:
        """Carry out an action of this screen, or say why it cannot be."""
        action = self.action_named(id)
        reason = action.reason(self.known())
        if reason:
            self.say(reason)
            if action.words:
                self.host.nowhere(reason)
        elif action is HELP:
            offered = self.offered()
            rest = [action for action in self.ACTIONS if action not in offered]
            told = [*offered, *rest]
            self.app.push_screen(Help(told, self.known(), self.glyphs, self.host.ways, self.legend()))
        elif action is ALERTS:
            self.host.show_alerts()
        elif action is LEAVE:
            self.app.exit()
        elif action in self.host.ways.values():
            self.host.action_show_screen(action.id.removeprefix("go."))
        else:
            self.carry_out(action)

    def say(self, text: str) -> None:
        """Why something cannot be."""
        self.app.notify(text, severity="warning", markup=False)

    def start_engine(self, action: Action[Any], run: str | None, start: Callable[[], None]) -> None:
        """Start at once; where the setup check found what a start of that run would meet, ask first."""
        titles = self.host.in_the_way(run)
        if titles:
            self.app.push_screen(
                Confirm(action, unwell_question(titles, self.host.ways["setup"].key_name)),
                lambda yes: start() if yes else None,
            )
        else:
            start()

    def show_keys(self) -> None:
        self.query_one(KeyBar).show(keys_that_work(self.offered(), self.known()))


class FramedScreen(CockpitScreen):
    """A screen between its edges: its own body, the keys below it, one line where the terminal is too small."""

    def body(self) -> Iterable[Widget]:
        """Everything between the edges of the screen."""
        raise NotImplementedError

    def draw(self) -> None:
        """Bring what is known to the screen."""
        raise NotImplementedError

    def offered(self) -> Sequence[Action[Any]]:
        return [action for action in self.ACTIONS if action is not ALERTS or self.alert_count]

    def back_out(self) -> bool:
        """Leave what is open on this screen; False if there is nothing."""
        return False

    def action_take(self, id: str) -> None:
        if self.action_named(id) is not BACK:
            super().action_take(id)
        elif not self.back_out():
            self.host.go_home()

    def compose(self) -> ComposeResult:
        yield from self.body()
        yield KeyBar(self.glyphs, id="keys")
        yield Notice(id="small")

    def on_mount(self) -> None:
        self.query_one("#small", Notice).say("the terminal is too small: it needs at least 60 x 20")
        self.host.alerts_changed.subscribe(self, lambda _alerts: self._draw())

    @property
    def alert_count(self) -> int:
        """Alerts of the run that nobody has acknowledged."""
        return sum(alert.open for alert in self.host.alerts)

    @on(Resize)
    def _fit(self, event: Resize) -> None:
        columns, rows = SMALLEST
        self.set_class(event.size.width < columns or event.size.height < rows, "-tiny")

    def _draw(self) -> None:
        with self.app.batch_update():
            self.draw()
            self.show_keys()


class RunScreen(FramedScreen, Generic[S]):
    """A screen with a thread that reads for it while it is seen."""

    def __init__(self, open_source: Callable[[], S], glyphs: Glyphs, poll_seconds: float) -> None:
        super().__init__(glyphs)
        self.background = self.make_background(open_source, poll_seconds)
        self.trouble = ""

    def make_background(self, open_source: Callable[[], S], poll_seconds: float) -> Background[S]:
        return Background(open_source, self.post_message, poll_seconds)

    def arrived(self, state: Any) -> None:
        """Something new was read."""
        raise NotImplementedError

    def on_mount(self) -> None:
        self.background.start()

    def on_unmount(self) -> None:
        self.background.close()

    @on(ScreenSuspend)
    def _hidden(self) -> None:
        if not isinstance(self.app.screen, Reading):  # which leaves the header to be seen
            self.background.hide()

    @on(ScreenResume)
    def _seen(self) -> None:
        self.background.show()

    @on(Arrived)
    def _arrived(self, message: Arrived) -> None:
        self.arrived(message.state)
        self._draw()

    @on(Answered)
    def _answered(self, message: Answered) -> None:
        self.answered(message.ok)
        self._draw()
        self.app.notify(
            message.text, severity="information" if message.ok else "error", timeout=4, markup=False
        )

    def answered(self, ok: bool) -> None:
        """A request has its answer."""

    @on(Trouble)
    def _troubled(self, message: Trouble) -> None:
        self.trouble = message.text
        self._draw()
