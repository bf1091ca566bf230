"""A text as sentences, and a sentence as words that the vocabulary knows."""

import re
from collections.abc import Iterator
from functools import lru_cache

from engine.data.labeler.vocabulary import vocabulary
from engine.data.sections.names import kind_of

#: Sections that tell of a question, a method or an earlier film.
_NO_FINDINGS = frozenset(
    {
        "indication",
        "history",
        "comparison",
        "technique",
        "examination",
        "notification",
        "date",
        "signature",
        "wet read",
    }
)
_HEADER = re.compile(r"(?:^|(?<=[.\n:?]))\s*([A-Z][A-Z /(),]{2,40}?|[A-Z][a-z]{6,12}):(?=\s|$)", re.MULTILINE)
# A full stop, a question mark behind a word, a blank line, the number or the dash of a list.
_END = re.compile(
    r"(?<=[.!])(?<!\b[Dd]r\.)\s+|(?<=\w\?)\s+|\n[ \t\r]*\n\s*|(?<=\s)(?=\d{1,2}[.)]\s)|\n(?=[ \t]*[-*•]\s)|\f"
)
_WORD = re.compile(r"and/or\b|[hrswc]/[opw]\b|[a-z]+(?:['’][a-z]+)?|\d+(?:[.:]\d+)*|[^\sa-z\d]")
_JOINS = frozenset("-–‐")


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Start and text of each sentence that may tell of a finding."""
    for start, part in _parts(text):
        begin = 0
        for match in _END.finditer(part):
            yield start + begin, part[begin : match.start()]
            begin = match.end()
        yield start + begin, part[begin:]


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """What stands under no header, or under one of a section that tells what the film shows."""
    if ":" not in text:
        yield 0, text
        return
    start, told = 0, True
    for match in _HEADER.finditer(text):
        kind = kind_of(match[1])
        if not kind:
            continue
        if told:
            yield start, text[start : match.start(1)]
        start, told = match.end(), kind not in _NO_FINDINGS
    if told:
        yield start, text[start:]


def words(sentence: str) -> tuple[list[str], list[tuple[int, int]]]:
    """The sentence's words and signs in lower case, spelling mended, and where each begins and ends."""
    found, spans = [], []
    small = sentence.lower()
    if len(small) != len(sentence):  # İ becomes two characters, and every place behind it would be wrong
        small = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in sentence)
    for match in _WORD.finditer(small):
        word = match[0]
        if word not in _JOINS:
            found.append(_known(word))
            spans.append(match.span())
    return found, spans


@lru_cache(maxsize=65_536)
def _known(word: str) -> str:
    if word == "?":
        return "question_mark"
    word = word.replace("’", "'").removesuffix("'s").replace("/", "_") if len(word) > 1 else word
    if word.endswith("n't") and word != "can't":
        return "not"
    return vocabulary().corrected(word)
