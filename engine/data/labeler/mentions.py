"""What a text says of each label: phrases, and for each whether it is stated, denied or doubted, and by which words.

In the manner of NegEx (Chapman et al. 2001, doi:10.1006/jbin.2001.1029): cues govern what follows or precedes them
within a sentence until something ends it. The phrases and cues are our own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from engine.data.labeler.sentences import sentences, words
from engine.data.labeler.vocabulary import Item, Role, vocabulary

POSITIVE, NEGATIVE, UNCERTAIN = 1, 0, -1

_VERBS = frozenset(
    [
        "is",
        "are",
        "was",
        "were",
        "has",
        "have",
        "had",
        "appear",
        "appears",
        "show",
        "shows",
        "demonstrate",
        "demonstrates",
    ]
)
_COPULAS = frozenset({"is", "are", "was", "were", "be", "also", "not", "still"})
_NO_NOUN = frozenset(
    {".", ",", ";", ")", "and", "but", "in", "at", "on", "given", "though", "although", "however", "with"}
)
_GLUE = frozenset(
    [
        "of",
        "the",
        "in",
        "to",
        "a",
        "an",
        "and",
        "or",
        ",",
        "overall",
        "appears",
        "appear",
        "is",
        "are",
        "again",
    ]
)
_ON_A_QUANTITY = ("borderline", "enlarged", "doubtful", "normal", "as_before")
_LIST_SIGNS = frozenset({",", "and", "or", "and_or", "nor", "/"})
#: Words between two findings of a list, and between the last of them and what is told of all.
_LIST_GAP = 5
_NEAR = 6
#: How far a doubt by a question mark reaches.
_NEAR_QUESTION = 3


@dataclass(frozen=True, slots=True)
class Mention:
    """label: one of the 14, or "Other". phrase: as it stands in text[start:end]. cue: the words that decided, or "".

    status: 1 stated, 0 denied, -1 doubted, None where it is told of another time, a question or a plan.
    """

    label: str
    phrase: str
    start: int
    end: int
    status: int | None
    cue: str


def mentions(text: str) -> list[Mention]:
    """Every phrase of the vocabulary in the text, in order; sections like INDICATION are not read."""
    return [
        replace(mention, start=mention.start + start, end=mention.end + start)
        for start, sentence in sentences(text)
        for mention in _of_sentence(sentence)
    ]


@dataclass(frozen=True, slots=True)
class _Sentence:
    words: Sequence[str]
    items: Sequence[Item]

    def between(self, left: int, right: int) -> Sequence[str]:
        """The words between two items that belong to neither."""
        return self.words[self.items[left].end : self.items[right].start]


@lru_cache(maxsize=65_536)
def _of_sentence(text: str) -> tuple[Mention, ...]:
    tokens, spans = words(text)
    sentence = _Sentence(tokens, vocabulary().items(tokens))
    found = []
    for place, item in enumerate(sentence.items):
        role = item.role("finding", "hint", "subject")
        if role is None:
            continue
        judged = _subject(sentence, place) if role.kind == "subject" else _finding(sentence, place, role)
        if judged is None:
            continue
        status, cue = judged
        start, end = spans[item.start][0], spans[item.end - 1][1]
        said = text[spans[cue.start][0] : spans[cue.end - 1][1]] if cue else ""
        found += [Mention(label, text[start:end], start, end, status, said) for label in role.labels]
    return tuple(found)


_Judged = tuple[int | None, Item | None]


def _finding(sentence: _Sentence, place: int, role: Role) -> _Judged:
    before, after = _before(sentence, place), _after(sentence, place)
    judged: _Judged
    if before is not None and (before[0] is None or after is None or after[0] != NEGATIVE):
        judged = before
    elif after is not None:
        judged = after
    elif (choice := _choice(sentence, place)) is not None:
        judged = UNCERTAIN, choice
    else:
        judged = POSITIVE, None
    if role.kind == "hint" and judged[0] == POSITIVE:
        return UNCERTAIN, None
    return judged


def _before(sentence: _Sentence, place: int) -> _Judged | None:
    """What the nearest cue to the left makes of the item."""
    doubt: Item | None = None
    verb = False
    for left in reversed(range(place)):
        item, gap = sentence.items[left], sentence.between(left, left + 1)
        if any(sign in gap for sign in (";", ":", ")")):
            break
        verb = verb or not _VERBS.isdisjoint(gap)
        if item.role("not_now") and not verb:
            return None, item
        if item.role("negation_before"):
            reaches = not verb and not _ends_list(sentence, left, place)
            if reaches and (doubt is None or _reaches_over(sentence.words[item.end : doubt.start])):
                return NEGATIVE, item
            break
        if item.role("suggestion_before"):
            doubt = doubt or item
        elif item.role("uncertain_before") and not _is_predicate(sentence, item):
            if "question_mark" in sentence.words[item.start : item.end] and (
                sentence.items[place].start - item.end > _NEAR_QUESTION
            ):
                break
            if (
                left
                and not sentence.between(left - 1, left)
                and sentence.items[left - 1].role("negation_before")
            ):
                return NEGATIVE, sentence.items[left - 1]
            if not verb and not _ends_list(sentence, left, place):
                return UNCERTAIN, item
            break
        elif item.role("stop", "holds", "pseudo"):
            break
    return None if doubt is None else (UNCERTAIN, doubt)


def _reaches_over(words: Sequence[str]) -> bool:
    """Whether a negation goes on to what it is to suggest: over a list, and not over a comma alone."""
    last_comma = max((place for place, word in enumerate(words) if word == ","), default=None)
    return last_comma is None or not {"or", "nor"}.isdisjoint(words[last_comma:])


def _is_predicate(sentence: _Sentence, item: Item) -> bool:
    """Whether the doubt is told of what came before: "pneumonia is possible", not "this is possible pneumonia"."""
    if (
        not item.role("uncertain_predicate")
        or not item.start
        or sentence.words[item.start - 1] not in _COPULAS
    ):
        return False
    return item.end == len(sentence.words) or sentence.words[item.end] in _NO_NOUN


def _ends_list(sentence: _Sentence, cue: int, place: int) -> bool:
    """Whether a new statement begins between the cue and the item: "no effusion, small pneumothorax"."""
    last = sentence.items[place].start
    listed = [item for item in sentence.items[cue + 1 : place] if item.role("finding", "hint", "subject")]
    if not listed:
        return False
    for at in range(listed[0].end, last):
        word = sentence.words[at]
        if word not in (",", "and", "with"):
            continue
        next_word = at + 1 + (sentence.words[at + 1] == "and")
        # "No consolidation, large effusion, or pneumothorax" is one list to its end.
        rest = sentence.words[at:] if word == "," else sentence.words[at:last]
        if _is_quantity(sentence, next_word) and not {"or", "nor"} & set(rest):
            return True
    return False


def _is_quantity(sentence: _Sentence, at: int) -> bool:
    return any(item.start == at and item.role("quantity") for item in sentence.items)


def _after(sentence: _Sentence, place: int) -> _Judged | None:
    """What the first cue to the right makes of the item."""
    last_finding = place
    for right in range(place + 1, len(sentence.items)):
        item, gap = sentence.items[right], sentence.between(right - 1, right)
        if right == place + 1 and list(gap) == [":"]:
            return _value(item)
        if any(sign in gap for sign in (";", ":")):
            break
        near = item.start - sentence.items[last_finding].end <= _NEAR
        if item.role("negation_after") and near:
            return NEGATIVE, item
        if (item.role("uncertain_after") or _is_predicate(sentence, item)) and near:
            far = item.start - sentence.items[place].end > _NEAR_QUESTION
            if not (far and "question_mark" in sentence.words[item.start : item.end]):
                return UNCERTAIN, item
            break
        if item.role("finding", "hint"):
            if not _joined(sentence.words[sentence.items[last_finding].end : item.start]):
                break
            last_finding = right
        elif item.role(
            "stop",
            "holds",
            "pseudo",
            "negation_before",
            "uncertain_before",
            "suggestion_before",
            "not_now",
            "subject",
        ):
            break
    return None


def _value(item: Item) -> _Judged | None:
    """What stands behind the finding's name and a colon: "Pneumothorax: none"."""
    if item.role("negation_before", "negation_after"):
        return NEGATIVE, item
    return (UNCERTAIN, item) if item.role("uncertain_before", "uncertain_after") else None


def _joined(words: Sequence[str]) -> bool:
    """Whether a list goes on over the words between two findings."""
    return len(words) <= _LIST_GAP and not _LIST_SIGNS.isdisjoint(words) and _VERBS.isdisjoint(words)


def _choice(sentence: _Sentence, place: int) -> Item | None:
    """The "or" between this finding and the one beside it."""
    for step in (1, -1):
        passed = None
        at = place + step
        while 0 <= at < len(sentence.items):
            item = sentence.items[at]
            if item.role("choice"):
                passed = item
            elif item.role("finding", "hint"):
                own, other = sorted((sentence.items[place], item), key=lambda one: one.start)
                gap = sentence.words[own.end : other.start]
                if passed is not None and len(gap) <= 5 and "," not in gap and _VERBS.isdisjoint(gap):
                    return passed
                break
            elif not item.role("quantity", "borderline", "as_before", "enlarged"):
                break
            at += step
    return None


def _subject(sentence: _Sentence, place: int) -> _Judged | None:
    """What the words on a quantity make of it: "the heart is mildly enlarged", "normal mediastinal contours"."""
    own = sentence.items[place]
    if (adjective := _adjective(sentence, place)) is not None:
        return adjective
    seen: dict[str, Item] = {}
    for right in range(place + 1, len(sentence.items)):
        item, gap = sentence.items[right], sentence.between(right - 1, right)
        if any(sign in gap for sign in (";", ":")) or item.role("finding", "hint", "not_meant"):
            break
        if item.role("stop", "not_now") and not item.role("as_before"):
            break
        if item.role("subject"):
            if seen:
                break
            continue
        if item.role("uncertain_before", "suggestion_before") and not item.role("borderline"):
            seen.setdefault("doubt", item)
        for kind in _ON_A_QUANTITY:
            if item.role(kind):
                # "The heart is normal, increased markings": the words of the next statement.
                if seen and "," in gap:
                    return _quantity(seen)
                if kind == "enlarged" and _denied(sentence, right):
                    kind = "normal"
                seen.setdefault(kind, item)
                break
    if seen.keys() - {"doubt"}:
        return _quantity(seen)
    return _listed_adjective(sentence, place, own)


def _quantity(seen: dict[str, Item]) -> _Judged | None:
    for kind, status in (
        ("borderline", POSITIVE),
        ("enlarged", POSITIVE),
        ("doubtful", UNCERTAIN),
        ("normal", NEGATIVE),
        ("as_before", UNCERTAIN),
    ):
        if kind in seen:
            if kind == "enlarged" and "doubt" in seen:
                return UNCERTAIN, seen["doubt"]
            return status, seen[kind]
    return None


def _denied(sentence: _Sentence, place: int) -> bool:
    """Whether a negation stands right before the word."""
    if place == 0:
        return False
    gap = sentence.between(place - 1, place)
    return len(gap) <= 1 and "," not in gap and sentence.items[place - 1].role("negation_before") is not None


def _adjective(sentence: _Sentence, place: int) -> _Judged | None:
    """The word right before the quantity: "normal heart size", "enlargement of the cardiac silhouette"."""
    if place == 0:
        return None
    item, gap = sentence.items[place - 1], sentence.between(place - 1, place)
    if not set(gap) <= {"of", "the", "in"}:
        return None
    seen = {kind: item for kind in _ON_A_QUANTITY if item.role(kind)}
    if "enlarged" in seen and _denied(sentence, place - 1):
        seen = {"normal": sentence.items[place - 2]}
    if seen.keys() == {"as_before"}:
        return None
    return _quantity(seen)


def _listed_adjective(sentence: _Sentence, place: int, own: Item) -> _Judged | None:
    """The word before a list that the quantity is in: "unremarkable heart, mediastinum and hila"."""
    for left in reversed(range(place)):
        item, gap = sentence.items[left], sentence.between(left, left + 1)
        if not set(gap) <= _GLUE | {"hilar", "hila", "pulmonary", "vascularity", "lungs", "both"}:
            return None
        if item.role("subject"):
            continue
        seen = {kind: item for kind in _ON_A_QUANTITY if item.role(kind)}
        return _quantity(seen) if seen else None
    return None


def statuses(found: Sequence[Mention]) -> Iterator[tuple[str, int]]:
    """Label and status of the mentions that tell of this film."""
    for mention in found:
        if mention.status is not None:
            yield mention.label, mention.status
