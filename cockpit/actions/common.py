"""Keys that every screen has: the other screens, help, leaving, backing out."""

from __future__ import annotations

from cockpit.actions.record import Action

SCREENS = (
    ("1", "flight", "Flight"),
    ("2", "samples", "Samples"),
    ("4", "data", "Data"),
    ("5", "runs", "Runs"),
    ("6", "log", "Log"),
)
"""(key, name, title) of every screen about a run."""

HELP: Action[object] = Action(
    "help", "question_mark", "help", "Every key, and why some do not work now.", 8, shown_key="?"
)
LEAVE: Action[object] = Action("leave", "q", "leave", "Leave the cockpit; the engine keeps training.", 4)
BACK: Action[object] = Action(
    "back", "escape", "back", "Back out of what is open, then to Flight.", 9, shown_key="esc"
)
