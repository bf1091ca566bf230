"""Writes the key table of the README anew from the table of screens: `python scripts/key_table.py`."""

from __future__ import annotations

from pathlib import Path

from cockpit.actions.key_table import key_table, with_table
from cockpit.screens.table import action_groups, ways_to

README = Path(__file__).parents[1] / "README.md"

if __name__ == "__main__":
    table = key_table(action_groups(), ways_to().values())
    README.write_text(with_table(README.read_text(encoding="utf-8"), table), encoding="utf-8")
