"""Keys: what people call them, what Textual calls them, and where the user's own file has moved them."""

from __future__ import annotations

from collections.abc import Mapping

from textual.keys import Keys, key_to_character

from cockpit.textual_internals import key_of_character

_WORDS = {"escape": "esc", "space": "space", "slash": "/", "plus": "+", "minus": "-"}
_SAME = {"esc": "escape", "return": "enter", "del": "delete", "pgup": "pageup", "pgdn": "pagedown"}
_MODIFIERS = ("ctrl+", "shift+", "alt+")
_NAMED = {key.value for key in Keys if "<" not in key.value and "ctrl+shift" not in key.value}

_moved: dict[str, str] = {}


def move_keys(moved: Mapping[str, str]) -> None:
    """From now on these actions, by id, have these keys (Textual's names, commas between); others their own."""
    _moved.clear()
    _moved.update(moved)


def keys_of(id: str, own: str) -> str:
    """The keys of an action now."""
    return _moved.get(id, own)


def key_word(keys: str) -> str:
    """The first of `keys` as people read it: `?` for question_mark, `esc` for escape."""
    key = keys.split(",")[0]
    character = key_to_character(key) or ""
    return _WORDS.get(key) or (character if character.isprintable() else "") or key


def key_named(word: str) -> str:
    """Textual's name for the key that people write as `word`. Raises ValueError if there is no such key."""
    if len(word) == 1 and word.isprintable():
        return key_of_character(word)
    name = _SAME.get(word.lower(), word.lower())
    plain = name
    while plain.startswith(_MODIFIERS):
        plain = plain.partition("+")[2]
    if name in _NAMED or plain in _NAMED or key_to_character(name) is not None:
        return name
    if plain != name and len(plain) == 1 and plain.isalnum():
        return name
    raise ValueError(word)
