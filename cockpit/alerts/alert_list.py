"""The alerts of the run with their time; they are acknowledged here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.signal import Signal

from cockpit.actions.action import bindings, keys_that_work
from cockpit.actions.common import ALERTS
from cockpit.alerts import actions as keys
from cockpit.alerts.alert import Alert, AlertsView
from cockpit.textual_internals import add_key, add_keys
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.key_bar import keys_line
from cockpit.toolkit.lines import Frame, Line, clean, first_seen, in_role, wrap
from cockpit.toolkit.modals.modal import LeftOnce
from cockpit.toolkit.panels import Panel

Acknowledge = Callable[[tuple[str, ...]], None]
AROUND = 4
"""Rows of the box that are no content."""


class AlertList(LeftOnce, ModalScreen[None]):
    """Newest first; follows what is known later."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q", "dismiss")]

    def __init__(
        self,
        alerts: Sequence[Alert],
        changed: Signal[tuple[Alert, ...]],
        acknowledge: Acknowledge,
        glyphs: Glyphs,
    ) -> None:
        super().__init__()
        self._changed = changed
        self.view = AlertsView(tuple(reversed(alerts)))
        self._acknowledge = acknowledge
        self._glyphs = glyphs
        add_keys(self, bindings(keys.ALERT_ACTIONS))
        add_key(self, ALERTS.keys, "dismiss")

    def compose(self) -> ComposeResult:
        with Vertical(classes="box wide"):
            yield Panel(alerts_frame, self._glyphs, id="alerts")

    def on_mount(self) -> None:
        self._changed.subscribe(self, self._follow)
        self._draw()

    def on_unmount(self) -> None:
        self._changed.unsubscribe(self)

    def on_resize(self) -> None:
        self._draw()

    def _follow(self, alerts: Sequence[Alert]) -> None:
        """More alerts, or some acknowledged elsewhere; the selected one stays selected."""
        selected = self.view.shown.key if self.view.shown else ""
        listed = tuple(reversed(alerts))
        at = next((index for index, one in enumerate(listed) if one.key == selected), 0)
        self.view = AlertsView(listed, at)
        self._draw()

    def action_take(self, id: str) -> None:
        """Carry out an action, or say why it cannot be."""
        action = next(one for one in keys.ALERT_ACTIONS if one.id == id)
        view = self.view
        reason = action.reason(view)
        if reason:
            self.app.notify(reason, severity="warning", markup=False)
        elif action is keys.ACKNOWLEDGE_ALL:
            self._acknowledge(tuple(alert.key for alert in view.alerts if alert.open))
        elif action is keys.ACKNOWLEDGE and view.shown is not None:
            self._acknowledge((view.shown.key,))
        else:
            self.view = replace(view, at=view.at + (1 if action is keys.DOWN else -1))
            self._draw()

    def _draw(self) -> None:
        for panel in self.query(Panel):  # none, where it was left before it was there
            panel.styles.height = max(4, min(self.size.height - AROUND, len(self.view.alerts) + 6))
            panel.show(self.view)


def alerts_frame(view: AlertsView, width: int, height: int, glyphs: Glyphs) -> Frame:
    """Title, the list around the selected alert, that one in full, the keys."""
    title: Frame = [[("Alerts", "strong"), ("   esc goes back", "dim")], []]
    if view.shown is None:
        return [*title, [("nothing has gone wrong", "dim")]]
    alerts, at = view.alerts, view.at
    words = wrap(view.shown.text, width, max(1, height - 6), glyphs.ellipsis)
    rows = max(1, height - len(title) - len(words) - 3)
    first = first_seen(at, len(alerts), rows)
    listed: Frame = [
        _line(alert, index == at, glyphs)
        for index, alert in enumerate(alerts[first : first + rows], start=first)
    ]
    footer = keys_line(keys_that_work(keys.ALERT_ACTIONS, view), width)
    frame: Frame = [*title, *listed, [], *in_role(words, "text"), [], footer]
    return frame[:height]


def _line(alert: Alert, here: bool, glyphs: Glyphs) -> Line:
    clock = time.strftime("%d %b %H:%M:%S", time.localtime(alert.time))
    role = "dim" if not alert.open else "bad" if alert.level == "error" else "warn"
    seen = "acknowledged" if not alert.open else ""
    return [
        (f"{glyphs.pointer if here else '':<2}", "accent_strong"),
        (f"{clock}  ", "dim"),
        (f"{glyphs.alert if alert.open else glyphs.hit} {clean(alert.kind):<22}", role),
        (seen, "dim"),
    ]
