"""How the app answers hands: what is said once, words that are no keys, keys that do nothing, the wheel."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from textual import on
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.events import Key, MouseScrollDown, MouseScrollUp, Paste
from textual.notifications import Notify, SeverityLevel
from textual.screen import Screen
from textual.timer import Timer

from cockpit import typed_words
from cockpit.actions import by_id
from cockpit.actions.common import HELP
from cockpit.screens.flight.screen import Flight
from cockpit.screens.shared.base import CockpitScreen
from cockpit.toolkit.modals.confirm import Question
from cockpit.toolkit.modals.leaving import LeftOnce, Palette
from cockpit.toolkit.modals.prompt import Nowhere
from cockpit.typed_words import TypedWords

_TAKES = re.compile(r"take\('([\w.]+)'\)")
WORDS = "typed words go nowhere here; a key that does something is pressed by itself"


class AnsweringApp(App[None]):
    """An app whose screens take their keys from the registry.

    Every key that no text field has taken comes by `on_key`, in the order they were pressed, before its binding is
    looked for on the screen that is on top by then.
    """

    def __init__(self) -> None:
        super().__init__()
        self._words = TypedWords()
        self._alone: tuple[str, Screen[Any], Timer] | None = None
        self._later: list[Callable[[], None]] = []
        self._telling: set[tuple[str, str]] = set()

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """As Textual's, but what is still to be read is not said again: a held key says it once."""
        told = {(one.title, one.message) for one in self._notifications} | self._telling
        if (title, message) not in told:
            self._telling.add((title, message))
            super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)

    @on(Notify)
    def _told(self, event: Notify) -> None:
        """It is among the messages now: Textual's own handler puts it there."""
        self._telling.discard((event.notification.title, event.notification.message))

    def on_key(self, event: Key) -> None:
        """What is no key, or not yet, is kept from the bindings."""
        if event.key == "escape":
            taken = self._escaped()
        elif event.is_printable or event.key == "enter":
            taken = self._pressed(event)
        else:
            return
        if taken:
            event.prevent_default()

    def on_paste(self, event: Paste) -> None:
        """Text that no field has taken: pasted where there is none, or before it was there."""
        line = event.text.partition("\n")[0].rstrip("\r")
        if not (isinstance(self.screen, LeftOnce) and self.screen.typed(line)):
            self._say("pasted text goes nowhere here")

    def _escaped(self) -> bool:
        """Escape ends a word, then closes messages, and only then is a key."""
        self._words.end()
        self._forget_alone()
        if isinstance(self.screen, CockpitScreen) and len(self._notifications):
            self.clear_notifications()
            return True
        return False

    def _pressed(self, event: Key) -> bool:
        """A letter or the end of a line; whether it is no key."""
        screen, letter = self.screen, event.character if event.is_printable else ""
        if isinstance(screen, Palette):
            return False
        if self._forget_alone():
            self._words.begin(event.time)
            self._say(WORDS)
            return True
        if self._words.takes(event.time):
            if self._bound(event.key):
                self._say(WORDS)
            return True
        if not letter:
            if isinstance(screen, Nowhere):
                self._words.begin(event.time)  # more lines may follow
            return False
        if not self._bound(event.key):
            return self._means_nothing(event, letter)
        if isinstance(screen, Question):
            self._words.begin(event.time)  # a no may be the second letter of a word
        return self._steers(event.key) and self._wait_alone(event.key)

    def _means_nothing(self, event: Key, letter: str) -> bool:
        """No key of the screen: of a text field that is on its way, the beginning of a word, or simply no key."""
        screen = self.screen
        if isinstance(screen, LeftOnce) and screen.typed(letter):
            return True
        if event.key == "slash":
            self.nowhere("There is nothing to find here")
            return True
        self._words.begin(event.time)
        way = f"{HELP.key_name} shows those that do" if isinstance(screen, CockpitScreen) else "esc goes back"
        self._say(f"this key does nothing here; {way}")
        return True

    def nowhere(self, why: str) -> None:
        """Take the words that are about to be typed, for which there is no use."""
        self.push_screen(
            Nowhere(why), lambda text: self._say(f"{why}: what was typed went nowhere") if text else None
        )

    def _bound(self, key: str) -> bool:
        return any(key in bindings.key_to_bindings for _, bindings in self.screen._modal_binding_chain)

    def _steers(self, key: str) -> bool:
        """Whether the key's action steers, and can now: a reason against it is said at once."""
        if not isinstance(self.screen, CockpitScreen):
            return False
        for binding in self.screen._bindings.key_to_bindings.get(key, ()):
            if found := _TAKES.fullmatch(binding.action):
                action = by_id(found[1])
                return action.steers and not action.reason(self.screen.known())
        return False

    def _wait_alone(self, key: str) -> bool:
        """Act once no other letter has followed for a moment."""
        if typed_words.ALONE_SECONDS <= 0:
            return False
        self._alone = key, self.screen, self.set_timer(typed_words.ALONE_SECONDS, self._act)
        return True

    async def _act(self) -> None:
        alone, self._alone = self._alone, None
        if alone is not None and self.screen is alone[1]:
            await self._check_bindings(alone[0])

    def _forget_alone(self) -> bool:
        """Let go of the letter that waits; False if there is none."""
        alone, self._alone = self._alone, None
        if alone is not None:
            alone[2].stop()
        return alone is not None

    def _say(self, text: str) -> None:
        self.notify(text, severity="warning", markup=False)

    # --- boxes that are typed into -------------------------------------------------------------------------

    def between_boxes(self, do: Callable[[], None]) -> None:
        """Do it once no box lies over the screen: none goes away under the fingers of who types into it."""
        if len(self.screen_stack) == 1:
            do()
        else:
            self._later.append(do)

    def pop_screen(self) -> AwaitComplete:
        popped = super().pop_screen()
        if len(self.screen_stack) == 1 and self._later:
            self.call_later(self._do_later)
        return popped

    def _do_later(self) -> None:
        waiting, self._later = self._later, []
        for do in waiting:
            self.between_boxes(do)

    @on(MouseScrollUp)
    @on(MouseScrollDown)
    def _wheel_turned(self, event: MouseScrollUp | MouseScrollDown) -> None:
        """The wheel is an arrow key wherever arrows move something; the palette has its own."""
        screen = self.screen
        if isinstance(screen, Palette) or (isinstance(screen, Flight) and not screen.zoomed):
            return
        self.simulate_key("up" if isinstance(event, MouseScrollUp) else "down")
