"""What an action is: one thing that a key can do, and why it cannot at times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from textual.binding import Binding

S = TypeVar("S", contravariant=True)
"""What a screen knows; an action of that screen is asked with it."""


def always(_state: object) -> str:
    """No reason against it, ever."""
    return ""


@dataclass(frozen=True, slots=True)
class Action(Generic[S]):
    """One thing a key can do.

    `reason` says why it cannot be done now; empty if it can. `verb` is the command that the engine gets, where
    the action is one. The highest `rank` gives way first in a narrow footer. A dangerous action asks its
    `question` before. `label_now` renames the key with the state. A companion shares the line of the action
    before it, in the footer and in the help; an obvious one needs no place in the footer.
    """

    id: str
    key: str
    label: str
    help: str
    rank: int
    shown_key: str = ""
    verb: str = ""
    dangerous: bool = False
    reason: Callable[[S], str] = always
    label_now: Callable[[S], str] | None = None
    question: tuple[str, ...] = ()
    companion: bool = False
    obvious: bool = False

    def label_for(self, state: S) -> str:
        """What the key does in this state, in a word or two."""
        return self.label_now(state) if self.label_now else self.label

    @property
    def key_name(self) -> str:
        return self.shown_key or self.key

    def binding(self) -> Binding:
        """The key, bound to the screen's `action_take`; the id lets a keymap move it."""
        return Binding(self.key, f"take('{self.id}')", self.label, id=self.id, tooltip=self.help)


def keys_that_work(actions: Sequence[Action[Any]], state: Any) -> list[tuple[str, str, int]]:
    """(key, label, rank) of the actions that can be taken now, for the footer. Two that do the same are one."""
    keys: list[tuple[str, str, int]] = []
    for action in actions:
        label = action.label_for(state)
        if action.companion or action.obvious or action.reason(state):
            continue
        if all(label != known for _, known, _ in keys):
            keys.append((action.key_name, label, action.rank))
    return keys
