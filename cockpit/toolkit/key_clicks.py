"""Which key a click means: what is shown as a key can be pressed with the mouse, too."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cockpit.actions.keys import key_named
from cockpit.toolkit.lines import Cell

_KEY_AND_WORDS = re.compile("(k+)d*")
_SIGN = {"key": "k", "dim": "d"}


def key_at(row: Sequence[Cell], x: int) -> str | None:
    """Textual's name of the key that is shown at this column, or before the dim words there; None if there is none.

    Of two that stand together, `j k case`, the words mean the first.
    """
    signs = "".join(_SIGN.get(paint, ".") if isinstance(paint, str) else "." for _, paint in row)
    shown = "".join(char or " " for char, _ in row)
    for found in _KEY_AND_WORDS.finditer(signs):
        if found.start() <= x < found.end():
            keys = list(re.finditer(r"\S+", shown[found.start() : found.end(1)]))
            here = [key for key in keys if x < found.end(1) and found.start() + key.start() <= x]
            return _named((here or keys)[-1 if here else 0][0]) if keys else None
    return None


def _named(word: str) -> str | None:
    try:
        return key_named(word)
    except ValueError:
        return None
