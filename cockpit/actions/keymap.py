"""The user's own keys: a file that gives actions other keys, read once before the app starts.

Its lines are `id: key` or `id: [key, key]`, with the ids of the key table in the README. Keys are written as they
are read: `P`, `+`, `space`, `f5`, `ctrl+s`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from cockpit.actions.action import Action
from cockpit.actions.common import BACK
from cockpit.actions.keys import key_named, key_word
from engine.errors import UserError
from engine.words.nearest import nearest

Groups = Mapping[str, tuple[Action[Any], ...]]
"""The actions of every screen, by the screen's name."""

RESERVED = {
    "escape": "it always backs out",
    "ctrl+c": "it copies what is selected",
    "ctrl+p": "it finds actions by name",
    "ctrl+q": "it always leaves",
}
"""Keys that stay what they are, and why."""

RENAMED = {"setup.mend": "setup.fix"}
"""Actions that a file of keys may still name as they were once called."""


def keymap_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the file is looked for."""
    base = environment.get("XDG_CONFIG_HOME") or "~/.config"
    # os.path's: without a home there is no such file, and that is no mistake of anybody's
    return Path(os.path.expanduser(base), "cxr-cockpit", "keys.yaml")


def read_keymap(path: Path, groups: Groups, everywhere: Sequence[Action[Any]]) -> dict[str, str]:
    """{action id: its keys as Textual names them, commas between}; empty where there is no file.

    `groups` are the actions of every screen, `everywhere` those that work on all of them.

    Raises UserError, one line, for a file that cannot be read, an unknown action, a bad key, a key given twice.
    """
    if not os.path.lexists(path):  # as nearly always: what reads YAML need not be loaded then
        return {}
    from engine.files.yaml_file import read_text

    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    known = [action.id for action in (*chain.from_iterable(groups.values()), *everywhere)]
    moved: dict[str, str] = {}
    lines: dict[str, int] = {}
    for line, given, words in _entries(text, path):
        id, where = RENAMED.get(given, given), f"{path}:{line}"
        if id not in known:
            near = nearest(id, known)
            hint = f"did you mean {near}?" if near else "the README's key table names them all"
            raise UserError(f"{where}: no action {id!r}: {hint}")
        if id == BACK.id:
            raise UserError(
                f"{where}: {key_word(BACK.key)} always backs out and stays so; take this line out"
            )
        if id in moved:
            raise UserError(f"{where}: {id} has its keys from line {lines[id]} already; take one of them out")
        moved[id] = ",".join(_key(word, where, id) for word in words)
        lines[id] = line
    _refuse_clashes(moved, lines, path, groups, everywhere)
    return moved


def _entries(text: str, path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """(line, action id, keys as written) of every entry."""
    import yaml

    from engine.files.yaml_file import compose

    try:
        # As strings all of them: y, n and 1 are keys here, not truths and numbers.
        root: Any = compose(text, yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise UserError(f"{path}{line}: not YAML; write a line for each action, like `park: P`") from None
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        raise UserError(f"{path}: write a line for each action, like `park: P`")
    for key, value in root.value:
        entries = value.value if isinstance(value, yaml.SequenceNode) else [value]
        words = [str(entry.value) for entry in entries if isinstance(entry, yaml.ScalarNode)]
        if not words or len(words) != len(entries):
            raise UserError(f"{path}:{key.start_mark.line + 1}: {key.value}: write a key, or a list of keys")
        yield key.start_mark.line + 1, str(key.value), words


def _key(word: str, where: str, id: str) -> str:
    try:
        key = key_named(word)
    except ValueError:
        raise UserError(
            f'{where}: {id}: {word!r} is no key; write one like "P", "+", "space", "f5" or "ctrl+s"'
        ) from None
    if key in RESERVED:
        raise UserError(f"{where}: {id}: {word!r} cannot be moved: {RESERVED[key]}")
    return key


def _refuse_clashes(
    moved: Mapping[str, str],
    lines: Mapping[str, int],
    path: Path,
    groups: Groups,
    everywhere: Sequence[Action[Any]],
) -> None:
    """No two actions of a screen may have the same key, the ways to other screens included."""
    for screen, group in groups.items():
        actions = {action.id: action for action in (*group, *everywhere)}
        owner: dict[str, str] = {}
        for action in actions.values():
            for key in moved.get(action.id, action.key).split(","):
                if key not in owner:
                    owner[key] = action.id
                    continue
                here, there = sorted((action.id, owner[key]), key=lambda id: lines.get(id, 0), reverse=True)
                raise UserError(
                    f"{path}:{lines[here]}: {here}: {key_word(key)!r} is {there} ({actions[there].label}) on "
                    f"{screen} already; give one of them another key"
                )
