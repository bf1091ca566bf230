"""How the app takes keys, pasted text and the wheel, and what it says of those that do nothing here.

Letters that are typed or pasted where nothing takes words are no keys, least of all ones that steer a run.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from textual import on
from textual.await_complete import AwaitComplete
from textual.events import Key, MouseScrollDown, MouseScrollUp, Paste
from textual.notifications import Notify, SeverityLevel
from textual.screen import Screen
from textual.timer import Timer

from cockpit.actions.common import HELP
from cockpit.screens.shared.base import CockpitScreen
from cockpit.textual_internals import OpenApp, actions_of_key
from cockpit.toolkit.modals.confirm import Question
from cockpit.toolkit.modals.modal import LeftOnce
from cockpit.toolkit.modals.palette import Palette
from cockpit.toolkit.modals.prompt import Nowhere

_TAKES = re.compile(r"take\('([\w.]+)'\)")
WORDS = "typed words go nowhere here; a key that does something is pressed by itself"

ALONE_SECONDS = 0.25
"""A letter that steers a run acts once it has stood alone for so long: words are typed more quickly."""
PACE_SECONDS = 0.5
"""Letters that follow each other within this belong to one word."""


class StrayTyping:
    """The word that is being typed, if one is. Times are those of the keys, in seconds of one steady clock."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def begin(self, at: float) -> None:
        """A letter at this time was none of a key: what follows at the pace of typing is of the same word."""
        self._last = at

    def takes(self, at: float) -> bool:
        """Whether the letter or line end at this time goes on with the word; then the word goes on from it."""
        if at - self._last >= PACE_SECONDS:
            return False
        self._last = at
        return True

    def end(self) -> None:
        """What comes next is a key again."""
        self._last = float("-inf")


class InputHandlingApp(OpenApp):
    """An app whose screens take their keys from their actions.

    Every key that no text field has taken comes by `on_key`, in the order they were pressed, before its binding is
    looked for on the screen that is on top by then.
    """

    def __init__(self) -> None:
        super().__init__()
        self._typing = StrayTyping()
        self._alone: tuple[str, Screen[Any], Timer] | None = None
        self._later: list[Callable[[], object]] = []
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
        told = {(one.title, one.message) for one in self.messages_shown} | self._telling
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
        self._typing.end()
        self._forget_alone()
        if isinstance(self.screen, CockpitScreen) and self.messages_shown:
            self.clear_notifications()
            return True
        return False

    def _pressed(self, event: Key) -> bool:
        """A letter or the end of a line; whether it is no key."""
        screen, letter = self.screen, event.character if event.is_printable else ""
        if isinstance(screen, Palette):
            return False
        if self._forget_alone():
            self._typing.begin(event.time)
            self._say(WORDS)
            return True
        if self._typing.takes(event.time):
            if self.is_bound(event.key):
                self._say(WORDS)
            return True
        if not letter:
            if isinstance(screen, Nowhere):
                self._typing.begin(event.time)  # more lines may follow
            return False
        if not self.is_bound(event.key):
            return self._means_nothing(event, letter)
        if isinstance(screen, Question):
            self._typing.begin(event.time)  # a no may be the second letter of a word
        return self._steers(event.key) and self._wait_alone(event.key)

    def _means_nothing(self, event: Key, letter: str) -> bool:
        """No key of the screen: of a text field that is on its way, the beginning of a word, or simply no key."""
        screen = self.screen
        if isinstance(screen, LeftOnce) and screen.typed(letter):
            return True
        if event.key == "slash":
            self.nowhere("There is nothing to find here")
            return True
        self._typing.begin(event.time)
        way = f"{HELP.key_name} shows those that do" if isinstance(screen, CockpitScreen) else "esc goes back"
        self._say(f"this key does nothing here; {way}")
        return True

    def nowhere(self, why: str) -> None:
        """Take the words that are about to be typed, for which there is no use."""
        self.push_screen(
            Nowhere(why), lambda text: self._say(f"{why}: what was typed went nowhere") if text else None
        )

    def _steers(self, key: str) -> bool:
        """Whether the key's action steers, and can now: a reason against it is said at once."""
        if not isinstance(self.screen, CockpitScreen):
            return False
        for told in actions_of_key(self.screen, key):
            if found := _TAKES.fullmatch(told):
                action = self.screen.action_named(found[1])
                return action.steers and not action.reason(self.screen.known())
        return False

    def _wait_alone(self, key: str) -> bool:
        """Act once no other letter has followed for a moment."""
        if ALONE_SECONDS <= 0:
            return False
        self._alone = key, self.screen, self.set_timer(ALONE_SECONDS, self._act)
        return True

    async def _act(self) -> None:
        alone, self._alone = self._alone, None
        if alone is not None and self.screen is alone[1]:
            await self.press_bound(alone[0])

    def _forget_alone(self) -> bool:
        """Let go of the letter that waits; False if there is none."""
        alone, self._alone = self._alone, None
        if alone is not None:
            alone[2].stop()
        return alone is not None

    def _say(self, text: str) -> None:
        self.notify(text, severity="warning", markup=False)

    # --- boxes that are typed into -------------------------------------------------------------------------

    def between_boxes(self, do: Callable[[], object]) -> None:
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
        if isinstance(screen, Palette) or (isinstance(screen, CockpitScreen) and not screen.arrows_move):
            return
        self.simulate_key("up" if isinstance(event, MouseScrollUp) else "down")
