"""How the app answers hands: what is said once, keys that do nothing, the wheel."""

from __future__ import annotations

from textual import on
from textual.app import App
from textual.events import Key, MouseScrollDown, MouseScrollUp
from textual.notifications import SeverityLevel

from cockpit.actions.common import HELP
from cockpit.screens.base import CockpitScreen
from cockpit.screens.flight import Flight
from cockpit.screens.leaving import Palette


class AnsweringApp(App[None]):
    """An app whose screens take their keys from the registry."""

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
        if all((one.title, one.message) != (title, message) for one in self._notifications):
            super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)

    def on_key(self, event: Key) -> None:
        """A key that means nothing on this screen is no silent one."""
        bound = (self.screen._bindings.key_to_bindings, self._bindings.key_to_bindings)
        if (
            isinstance(self.screen, CockpitScreen)
            and event.is_printable
            and not any(event.key in keys for keys in bound)
        ):
            self.screen.say(f"this key does nothing here; {HELP.key_name} shows those that do")

    @on(MouseScrollUp)
    @on(MouseScrollDown)
    def _wheel_turned(self, event: MouseScrollUp | MouseScrollDown) -> None:
        """The wheel is an arrow key wherever arrows move something; the palette has its own."""
        screen = self.screen
        if isinstance(screen, Palette) or (isinstance(screen, Flight) and not screen.zoomed):
            return
        self.simulate_key("up" if isinstance(event, MouseScrollUp) else "down")
