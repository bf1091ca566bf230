"""Every action of the cockpit, once. Bindings, footer, palette and help are read from this registry.

An action that cannot work now says why (`reason`): no key is ever silent.
"""

from __future__ import annotations

from typing import Any

from cockpit.actions.action import Action, bindings, keys_that_work
from cockpit.actions.common import GO
from cockpit.alerts.actions import ALERT_ACTIONS
from cockpit.screens.data.actions import DATA_ACTIONS
from cockpit.screens.flight.actions import FLIGHT_ACTIONS, START_ACTIONS
from cockpit.screens.log.actions import LOG_ACTIONS
from cockpit.screens.runs.actions import RUNS_ACTIONS
from cockpit.screens.samples.actions import SAMPLES_ACTIONS
from cockpit.screens.setup.actions import SETUP_ACTIONS

__all__ = [
    "DATA_ACTIONS",
    "FLIGHT_ACTIONS",
    "GO",
    "GROUPS",
    "LOG_ACTIONS",
    "RUNS_ACTIONS",
    "SAMPLES_ACTIONS",
    "SETUP_ACTIONS",
    "START_ACTIONS",
    "Action",
    "bindings",
    "by_id",
    "keys_that_work",
    "known_ids",
]

GROUPS: dict[str, tuple[Action[Any], ...]] = {
    "start": START_ACTIONS,
    "flight": FLIGHT_ACTIONS,
    "samples": SAMPLES_ACTIONS,
    "setup": SETUP_ACTIONS,
    "data": DATA_ACTIONS,
    "runs": RUNS_ACTIONS,
    "log": LOG_ACTIONS,
    "alerts": ALERT_ACTIONS,
}
"""The actions of every screen and of the list of alerts, in the order of the footer.

Those of `GO` work on every screen about a run."""


def by_id(id: str) -> Action[Any]:
    """The action of that id."""
    return _BY_ID[id]


def known_ids() -> tuple[str, ...]:
    """The ids of all actions."""
    return tuple(_BY_ID)


_BY_ID = {action.id: action for group in (*GROUPS.values(), GO.values()) for action in group}
