"""Writes the key table of the README anew from the action registry: `python scripts/key_table.py`."""

from __future__ import annotations

from pathlib import Path

from cockpit.actions.key_table import with_table

README = Path(__file__).parents[1] / "README.md"

if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
