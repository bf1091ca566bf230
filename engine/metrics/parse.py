"""What a written answer says: its prose, and the labels or codes of its last line."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from engine.data.icd import from_dotted
from engine.data.labels import LABELS
from engine.data.targets import ICD_PREFIX, LABEL_PREFIX, NO_LABEL

_NAMES = {name.casefold(): name for name in LABELS}
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class LabelledText:
    """prose: the text without its label line. labels: all 14 names, 1 or 0; None if no line can be read."""

    prose: str
    labels: dict[str, int] | None


@dataclass(frozen=True, slots=True)
class CodedText:
    """prose: the text without its ICD line. icd: codes like "10:I509", each once; None if unreadable."""

    prose: str
    icd: list[str] | None


def parse_labels(text: str) -> LabelledText:
    """Splits a stage A answer. One unknown name, or an empty line, makes the whole label line unreadable."""
    prose, names = _cut_last_line(text, LABEL_PREFIX)
    if names is None:
        return LabelledText(prose, None)
    if names.strip().casefold() == NO_LABEL:
        return LabelledText(prose, dict.fromkeys(LABELS, 0))
    found = [_NAMES.get(name.strip().casefold()) for name in names.split(",")]
    if None in found:
        return LabelledText(prose, None)
    return LabelledText(prose, {name: int(name in found) for name in LABELS})


def parse_icd(text: str, reference: Collection[str] = ()) -> CodedText:
    """Splits a stage B answer. Entries without a code in front say nothing; a line of only such is none.

    reference: codes like "10:I509"; where one of them has the same characters, its version is taken.
    """
    prose, entries = _cut_last_line(text, ICD_PREFIX)
    if entries is None:
        return CodedText(prose, None)
    starts = (entry.split(maxsplit=1)[0] for entry in entries.split(";") if entry.strip())
    codes = [code for start in starts if (code := from_dotted(start.rstrip(",:"), reference))]
    return CodedText(prose, list(dict.fromkeys(codes)) or None)


def prose(text: str, stage: str) -> str:
    """The answer without its label line (stage_a) or ICD line (stage_b)."""
    return _cut_last_line(text, LABEL_PREFIX if stage == "stage_a" else ICD_PREFIX)[0]


def _cut_last_line(text: str, prefix: str) -> tuple[str, str | None]:
    """The text before its last line, and what follows `prefix` there; (text, None) if it begins otherwise."""
    text = text.strip()
    ends = list(_LINE_END.finditer(text))
    start = ends[-1].end() if ends else 0
    last = text[start:].lstrip()
    if not last.casefold().startswith(prefix.casefold()):
        return text, None
    return text[:start].rstrip(), last[len(prefix) :]
