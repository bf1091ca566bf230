"""What was found in a text beside what should have been: labels and diagnoses."""

from __future__ import annotations

from collections.abc import Sequence

Marks = tuple[tuple[str, str], ...]
"""(mark, name) with the mark "hit", "missed" or "invented", in this order."""


def marks(found: Sequence[str], wanted: Sequence[str]) -> Marks:
    """What was hit, then what was missed, then what was invented."""
    return (
        *(("hit", name) for name in wanted if name in found),
        *(("missed", name) for name in wanted if name not in found),
        *(("invented", name) for name in found if name not in wanted),
    )
