"""A list of which some lines are seen: where it begins, so that the selected line stays in view."""

from __future__ import annotations


def first_seen(selected: int, total: int, height: int) -> int:
    """The first line to draw: the selected one in the middle, without empty lines at the ends."""
    return min(max(0, selected - height // 2), max(0, total - height))
