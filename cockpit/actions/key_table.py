"""The key table of the README, made from the registry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cockpit.actions import GO, GROUPS
from cockpit.actions.action import Action
from cockpit.actions.common import COMMON
from cockpit.actions.keys import key_word

BEGIN, END = "<!-- keys: made by scripts/key_table.py -->", "<!-- /keys -->"
"""Between these lines of the README the table stands."""

_EVERYWHERE = (*GO.values(), *COMMON)


def key_table() -> str:
    """Markdown: Flight's keys in sight, those of the other screens folded away. Own keys, not the user's."""
    parts = [_table(GROUPS["flight"]), _folded("Every screen", _EVERYWHERE)]
    for name, group in GROUPS.items():
        if name != "flight":
            parts.append(_folded(name.capitalize(), group))
    return "\n\n".join(parts)


def _folded(title: str, group: Iterable[Action[Any]]) -> str:
    return (
        f"<details><summary>{title}</summary>\n\n{_table(group, all=title == 'Every screen')}\n\n</details>"
    )


def _table(group: Iterable[Action[Any]], all: bool = False) -> str:
    rows = [
        f"| {_keys(action)} | `{action.id}` | {action.help} |"
        for action in group
        if all or action not in _EVERYWHERE
    ]
    return "\n".join(["| key | action | it does |", "| --- | --- | --- |", *rows])


def _keys(action: Action[Any]) -> str:
    return " ".join(f"`{key_word(key)}`" for key in action.key.split(","))


def with_table(readme: str) -> str:
    """The README with the table as the registry has it. Raises ValueError where it has no place for one."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no lines {BEGIN} and {END}")
    return f"{before}{begin}\n\n{key_table()}\n\n{end}{after}"
