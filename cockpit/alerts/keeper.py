"""Keeps the alerts of the open run for the whole app: one thread that watches, whatever screen is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from textual.message import Message

from cockpit.alerts.alert import Alert
from cockpit.alerts.bell import fresh_among
from cockpit.toolkit.background import Arrived, Background

BEATS = 2
"""Looks at the run for alerts are so many times rarer than those for a screen."""


class Watch(Protocol):
    """The alerts of a run. Every method is called on the keeper's thread and may raise."""

    def read(self) -> tuple[Alert, ...]: ...
    def acknowledge(self, keys: tuple[str, ...]) -> None: ...
    def close(self) -> None: ...


class AlertsArrived(Message):
    """The alerts of the run that `keeper` watches, oldest first; `fresh` came while it watched."""

    def __init__(self, keeper: AlertKeeper, alerts: tuple[Alert, ...], fresh: tuple[Alert, ...]) -> None:
        super().__init__()
        self.keeper = keeper
        self.alerts = alerts
        self.fresh = fresh


class AlertKeeper:
    """Watches one run. What it finds on its first look is known and rings for nobody."""

    def __init__(
        self, open_watch: Callable[[], Watch], post: Callable[[Message], object], poll: float
    ) -> None:
        self._post = post
        self._heard: set[str] | None = None
        self._thread: Background[Watch] = Background(open_watch, self._arrived, BEATS * poll)

    def start(self) -> None:
        self._thread.start()

    def acknowledge(self, keys: tuple[str, ...]) -> None:
        """Somebody has seen these; every cockpit on the run will know."""

        def job(watch: Watch) -> None:
            watch.acknowledge(keys)

        self._thread.do(job)

    def close(self) -> None:
        self._thread.close()

    def _arrived(self, message: Message) -> None:
        if not isinstance(message, Arrived) or not isinstance(message.state, tuple):
            return  # what cannot be read, the screens tell
        alerts: tuple[Alert, ...] = message.state
        fresh = () if self._heard is None else tuple(fresh_among(alerts, self._heard))
        self._heard = (self._heard or set()) | {alert.key for alert in alerts}
        self._post(AlertsArrived(self, alerts, fresh))
