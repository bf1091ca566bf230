"""The phrases of `findings.yaml` and `cues.yaml`, found in a row of words: the longest one at the leftmost word."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from engine.files.yaml_file import read_yaml

#: The label of findings that none of the 14 has; they deny No Finding.
OTHER = "Other"
_HERE = Path(__file__).parent
#: Words shorter than this are too much alike for a letter to be wrong.
_SPELLABLE = 7


@dataclass(frozen=True, slots=True)
class Role:
    """What a phrase is: a finding, hint or subject with its labels, or a cue of `cues.yaml`."""

    kind: str
    labels: tuple[str, ...] = ()


@dataclass(slots=True)
class _Node:
    next: dict[str, "_Node"] = field(default_factory=dict)
    roles: tuple[Role, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """A phrase in a sentence. start, end: its words. roles: all that the phrase may be."""

    start: int
    end: int
    roles: tuple[Role, ...]

    def role(self, *kinds: str) -> Role | None:
        return next((role for role in self.roles if role.kind in kinds), None)


class Vocabulary:
    def __init__(
        self, phrases: Iterable[tuple[str, Role]], spellable: Iterable[str], right: Iterable[str] = ()
    ) -> None:
        """phrases: each written in the files' signs. spellable: words known with a letter wrong, too; right: never."""
        self._root = _Node()
        self._words = set(right)
        for written, role in phrases:
            for words in spelled_out(written):
                node = self._root
                for word in words:
                    node = node.next.setdefault(word, _Node())
                self._words.update(words)
                node.roles = tuple(dict.fromkeys((*node.roles, role)))
        self._near: dict[str, str] = {}
        for word in sorted(spellable):
            for near in _one_letter_less(word):
                self._near.setdefault(near, word)

    def items(self, words: Sequence[str]) -> list[Item]:
        found = []
        place, count = 0, len(words)
        first = self._root.next
        while place < count:
            node, end = first.get(words[place]), place + 1
            longest: Item | None = None
            while node is not None:
                if node.roles:
                    longest = Item(place, end, node.roles)
                if end == count:
                    break
                node, end = node.next.get(words[end]), end + 1
            if longest is None:
                place += 1
            else:
                found.append(longest)
                place = longest.end
        return found

    def corrected(self, word: str) -> str:
        """The word of ours that it is but for one letter too many, too few, wrong or swapped; else itself."""
        if len(word) < _SPELLABLE - 1 or word in self._words:
            return word
        return next((self._near[near] for near in _one_letter_less(word) if near in self._near), word)


def spelled_out(written: str) -> Iterator[tuple[str, ...]]:
    """ "a/b c?" → (a,), (b,), (a, c), (b, c)."""
    choices = []
    for token in written.split():
        words = token.removesuffix("?").split("/")
        choices.append((*words, "") if token.endswith("?") else tuple(words))
    for chosen in product(*choices):
        if words := [word for word in chosen if word]:
            yield tuple(words)


def _one_letter_less(word: str) -> Iterator[str]:
    """The word, and all that it is without one of its letters; two words that share one are a letter apart."""
    yield word
    for place in range(1, len(word)):  # nobody misses a word's first letter
        yield word[:place] + word[place + 1 :]


@cache
def vocabulary() -> Vocabulary:
    findings: dict[str, Any] = read_yaml(_HERE / "findings.yaml")
    cues: dict[str, list[str]] = read_yaml(_HERE / "cues.yaml")
    phrases: list[tuple[str, Role]] = []
    for label, own in findings["findings"].items():
        phrases += [(phrase, Role("finding", (label,))) for phrase in own]
    for label, own in findings["hints"].items():
        phrases += [(phrase, Role("hint", (label,))) for phrase in own]
    for kind, groups in (("finding", findings["both"]), ("subject", findings["subjects"])):
        phrases += [
            (phrase, Role(kind, tuple(group["labels"]))) for group in groups for phrase in group["phrases"]
        ]
    phrases += [(phrase, Role("finding", (OTHER,))) for phrase in findings["other"]]
    named = {word for phrase, _ in phrases for words in spelled_out(phrase) for word in words}
    phrases += [(phrase, Role("not_meant")) for phrase in findings["not_meant"]]
    phrases += [(phrase, Role(kind)) for kind, own in cues.items() for phrase in own]
    spellable = (word for word in named if len(word) >= _SPELLABLE)
    return Vocabulary(phrases, spellable, findings["right_as_they_are"])
