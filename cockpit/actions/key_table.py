"""The key table of the README, made from the table of screens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cockpit.actions.action import Action
from cockpit.actions.common import COMMON
from cockpit.actions.keys import key_word

BEGIN, END = "<!-- keys: made by scripts/key_table.py -->", "<!-- /keys -->"
"""Between these lines of the README the table stands."""

Groups = Mapping[str, tuple[Action[Any], ...]]


def key_table(groups: Groups, ways: Iterable[Action[Any]]) -> str:
    """Markdown: Flight's keys in sight, those of the other screens folded away. Own keys, not the user's.

    `groups` are the actions of every screen, by its name; `ways` lead to the screens.
    """
    everywhere = (*ways, *COMMON)
    parts = [_table(groups["flight"], everywhere), _folded("Every screen", _table(everywhere))]
    for name, group in groups.items():
        if name != "flight":
            parts.append(_folded(name.capitalize(), _table(group, everywhere)))
    return "\n\n".join(parts)


def _folded(title: str, table: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{table}\n\n</details>"


def _table(group: Iterable[Action[Any]], without: Sequence[Action[Any]] = ()) -> str:
    rows = [
        f"| {_keys(action)} | `{action.id}` | {action.help} |" for action in group if action not in without
    ]
    return "\n".join(["| key | action | it does |", "| --- | --- | --- |", *rows])


def _keys(action: Action[Any]) -> str:
    return " ".join(f"`{key_word(key)}`" for key in action.key.split(","))


def with_table(readme: str, table: str) -> str:
    """The README with this table. Raises ValueError where it has no place for one."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no lines {BEGIN} and {END}")
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"
