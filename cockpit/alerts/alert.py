"""An alert: something that deserves a look, once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alert:
    """`key` is the same wherever the same thing is seen; `kind` is a word or two that may be told anywhere.

    `time` is wall time, `level` "warning" or "error", `acknowledged` when somebody said that it was seen.
    """

    key: str
    time: float
    level: str
    kind: str
    text: str
    acknowledged: float | None = None

    @property
    def open(self) -> bool:
        return self.acknowledged is None


@dataclass(frozen=True, slots=True)
class AlertsView:
    """The list of alerts, newest first; `at` is the selected one."""

    alerts: tuple[Alert, ...] = ()
    at: int = 0

    @property
    def shown(self) -> Alert | None:
        """The alert that is told in full."""
        return self.alerts[self.at] if self.at < len(self.alerts) else None
