"""How an answer is written down and read again: prose, and below it the one line that machines read."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from engine.data.icd import dotted, from_dotted
from engine.data.labels import LABELS, positives
from engine.stages import Line, find_stage
from engine.words.printable import clean_line

PREFIXES: Mapping[Line, str] = {"labels": "CheXpert:", "icd": "ICD:"}

_NAMES = {name.casefold(): name for name in LABELS}
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Answer:
    """prose: the text without its labels or ICD line. labels: all 14 names, 1 or 0. icd: codes like "10:I509", each
    once. What the line cannot be read as, or is not of, is None."""

    prose: str
    labels: dict[str, int] | None = None
    icd: list[str] | None = None


def label_line(labels: Mapping[str, int | None]) -> str:
    """ "CheXpert: Edema, Pleural Effusion": the positive labels in their fixed order, else "No Finding"."""
    return f"{PREFIXES['labels']} {', '.join(positives(labels) or ('No Finding',))}"


def icd_line(diagnoses: Iterable[tuple[str, str]]) -> str:
    """ "ICD: I50.9 Heart failure; J90 Pleural effusion" from pairs of code ("10:I509") and title."""
    entries = [f"{dotted(code)} {clean_line(title).replace(';', ',')}".rstrip() for code, title in diagnoses]
    return f"{PREFIXES['icd']} {'; '.join(entries)}"


def read_answer(text: str, line: Line, reference: Collection[str] = ()) -> Answer:
    """What an answer with such a line says.

    One unknown label, or none at all, makes the whole label line unreadable. Entries of an ICD line without a code in
    front say nothing; a line of only such is unreadable. reference: codes like "10:I509"; where one of them has the
    same characters as a code, its version is taken.
    """
    prose, entries = _cut_last_line(text, PREFIXES[line])
    if entries is None:
        return Answer(prose)
    if line == "labels":
        return Answer(prose, labels=_labels(entries))
    return Answer(prose, icd=_codes(entries, reference))


def has_line(text: str, line: Line) -> bool:
    """Whether the text ends with such a line, readable or not."""
    return _cut_last_line(text, PREFIXES[line])[1] is not None


def prose(text: str, stage: str) -> str:
    """The answer without its line; of a stage that is not known, all of it."""
    known = find_stage(stage)
    return _cut_last_line(text, PREFIXES[known.line])[0] if known else text.strip()


def _labels(entries: str) -> dict[str, int] | None:
    found = [_NAMES.get(name.strip().casefold()) for name in entries.split(",")]
    return None if None in found else {name: int(name in found) for name in LABELS}


def _codes(entries: str, reference: Collection[str]) -> list[str] | None:
    starts = (entry.split(maxsplit=1)[0] for entry in entries.split(";") if entry.strip())
    codes = [code for start in starts if (code := from_dotted(start.rstrip(",:"), reference))]
    return list(dict.fromkeys(codes)) or None


def _cut_last_line(text: str, prefix: str) -> tuple[str, str | None]:
    """The text before its last line, and what follows `prefix` there; (text, None) if it begins otherwise."""
    text = text.strip()
    ends = list(_LINE_END.finditer(text))
    start = ends[-1].end() if ends else 0
    last = text[start:].lstrip()
    if not last.casefold().startswith(prefix.casefold()):
        return text, None
    return text[:start].rstrip(), last[len(prefix) :]
