"""What can be done on the start screen."""

from __future__ import annotations

from typing import Any

from cockpit.actions.action import Action
from cockpit.actions.common import HELP, LEAVE

DEMO: Action[object] = Action(
    "demo", "d", "fly the demo", "Phantom data, both stages, the bundled tiny model.", 0, steers=True
)
OPEN: Action[object] = Action(
    "open", "o", "open a config", "Start a run from a configuration file.", 1, words=True
)

START_ACTIONS: tuple[Action[Any], ...] = (DEMO, OPEN, HELP, LEAVE)
