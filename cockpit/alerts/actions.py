"""What can be done with the list of alerts."""

from __future__ import annotations

from cockpit.actions.action import Action
from cockpit.actions.common import ends, walk
from cockpit.alerts.alert import AlertsView

AlertAction = Action[AlertsView]


def _needs_alert(view: AlertsView) -> str:
    return "" if view.alerts else "there is no alert"


def _needs_open(view: AlertsView) -> str:
    if not view.alerts:
        return _needs_alert(view)
    return "" if any(alert.open for alert in view.alerts) else "all are acknowledged"


def _needs_this_open(view: AlertsView) -> str:
    acknowledged = view.shown is not None and not view.shown.open
    return _needs_open(view) or ("this one is acknowledged" if acknowledged else "")


ACKNOWLEDGE: AlertAction = Action(
    "alerts.acknowledge", "enter,space", "acknowledge", "This alert was seen.", 0, reason=_needs_this_open
)
ACKNOWLEDGE_ALL: AlertAction = Action(
    "alerts.acknowledge_all", "A", "all", "All alerts were seen.", 1, reason=_needs_open
)
DOWN, UP = walk("alerts", "alert", 2, ends("alert", _needs_alert, lambda view: (view.at, len(view.alerts))))

ALERT_ACTIONS: tuple[AlertAction, ...] = (ACKNOWLEDGE, ACKNOWLEDGE_ALL, DOWN, UP)
