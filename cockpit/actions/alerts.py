"""What can be done with the list of alerts."""

from __future__ import annotations

from collections.abc import Sequence

from cockpit.actions.common import walk
from cockpit.actions.record import Action
from cockpit.alerts.record import Alert

AlertAction = Action[Sequence[Alert]]


def _needs_open(alerts: Sequence[Alert]) -> str:
    return "" if any(alert.open for alert in alerts) else "all are acknowledged"


def _needs_others(alerts: Sequence[Alert]) -> str:
    return "" if len(alerts) > 1 else "there is no other alert"


ACKNOWLEDGE: AlertAction = Action(
    "alerts.acknowledge", "enter,space", "acknowledge", "This alert was seen.", 0, reason=_needs_open
)
ACKNOWLEDGE_ALL: AlertAction = Action(
    "alerts.acknowledge_all", "A", "all", "All alerts were seen.", 1, reason=_needs_open
)
DOWN, UP = walk("alerts", "alert", 2, _needs_others)

ALERT_ACTIONS: tuple[AlertAction, ...] = (ACKNOWLEDGE, ACKNOWLEDGE_ALL, DOWN, UP)
