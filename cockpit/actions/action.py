"""What an action is: one thing that a key can do, and why it cannot at times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from textual.binding import Binding, BindingsMap

from cockpit.actions.keys import key_word, keys_of

S = TypeVar("S", contravariant=True)
"""What a screen knows; an action of that screen is asked with it."""


def always(_state: object) -> str:
    """No reason against it, ever."""
    return ""


@dataclass(frozen=True, slots=True)
class Action(Generic[S]):
    """One thing a key can do.

    `key` names its own keys, commas between; the user's file may give it others. `reason` says why it cannot be
    done now; empty if it can. `verb` is the command that the engine gets, where the action is one. The highest
    `rank` gives way first in a narrow footer. A dangerous action asks its `question` before. One that steers (a run, a
    machine) waits until its letter has stood alone for a moment, since it may be one of a word. After one that takes
    `words` people type: while it cannot be done, what they type goes nowhere. `label_now` renames
    the key with the state. A companion has no line of its own in footer and help: it is the `other` of an action
    that has, or goes without saying.
    """

    id: str
    key: str
    label: str
    help: str
    rank: int
    verb: str = ""
    dangerous: bool = False
    steers: bool = False
    words: bool = False
    reason: Callable[[S], str] = always
    label_now: Callable[[S], str] | None = None
    question: tuple[str, ...] = ()
    companion: bool = False
    other: Action[S] | None = None

    def label_for(self, state: S) -> str:
        """What the key does in this state, in a word or two."""
        return self.label_now(state) if self.label_now else self.label

    @property
    def keys(self) -> str:
        """The keys that it has now, as Textual names them."""
        return keys_of(self.id, self.key)

    @property
    def key_name(self) -> str:
        """Its first key as people read it, and that of its other half."""
        return f"{key_word(self.keys)} {key_word(self.other.keys)}" if self.other else key_word(self.keys)

    def binding(self) -> Binding:
        """Its keys, bound to the screen's `action_take`."""
        return Binding(self.keys, f"take('{self.id}')", self.label, id=self.id, tooltip=self.help)


def bindings(group: Iterable[Action[Any]]) -> BindingsMap:
    """The keys of a screen."""
    return BindingsMap([action.binding() for action in group])


def keys_that_work(actions: Sequence[Action[Any]], state: Any) -> list[tuple[str, str, int]]:
    """(key, label, rank) of the actions that can be taken now, for the footer. Two that do the same are one."""
    keys: list[tuple[str, str, int]] = []
    for action in actions:
        label = action.label_for(state)
        if action.companion or not works(action, state):
            continue
        if all(label != known for _, known, _ in keys):
            keys.append((action.key_name, label, action.rank))
    return keys


def works(action: Action[Any], state: Any) -> bool:
    """Whether the action, or its other half, can be taken now."""
    return not action.reason(state) or (action.other is not None and not action.other.reason(state))
