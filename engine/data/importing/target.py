"""The answer that a record gives: its text as it stands, or what a whole report says in the end."""

import re
from collections.abc import Callable
from typing import Any

from engine.data.answers import PREFIXES
from engine.data.importing.unusable import Unusable
from engine.data.sections.main_text import MainText, main_text
from engine.words.printable import clean_line

_IMAGE_TOKEN = re.compile(
    r"\s*(?:<im_start>)?(?:<image>|<\|image(?:_pad)?\|>|<image_placeholder>|<ImageHere>)(?:<im_end>)?\s*"
)
#: Fields that hold a report; in the others an answer with headers is the answer that was meant.
_REPORT_FIELDS = ("report", "impression", "findings", "text", "caption")
# What only a report as it came has: what was asked and done, before what was seen.
_AS_IT_CAME = re.compile(
    r"^[ \t]*(?:FINAL REPORT|(?:EXAMINATION|INDICATION|TECHNIQUE|COMPARISON|HISTORY|REASON FOR EXAM\w*)[ \t]*:)",
    re.MULTILINE,
)


def without_image_tokens(text: str) -> str:
    return _IMAGE_TOKEN.sub("\n", text)


def target_text(value: Any, name: str, note: Callable[[str], None]) -> str:
    """The answer, its lines cleaned. Of a whole report it is the impression, else findings, else the last paragraph.

    name: the field it stood in. Raises Unusable where there is none.
    """
    if value is None:
        raise Unusable("no target (answer, impression, report …)")
    if not isinstance(value, str):
        raise Unusable(f"target is no text ({name})")
    text = without_image_tokens(value)
    if text.strip() != value.strip():
        note("image token in the target left out")
    body, label_line = _cut_label_line(text)
    if found := _of_whole_report(body, name):
        body = found.text
        note(f"whole report in {name}: its {found.section.replace('_', ' ')} taken")
        for reason in found.reasons:
            note(f"report in {name}: {reason}")
    target = lines_of("\n".join((body, label_line)))
    if not target:
        raise Unusable("no target (answer, impression, report …)")
    return target


def lines_of(text: str) -> str:
    """The text with its line ends, every line cleaned of control characters, blank ones gone."""
    return "\n".join(line for line in map(clean_line, text.splitlines()) if line)


def _of_whole_report(text: str, name: str) -> MainText | None:
    """What it says in the end, if the text is a whole report. Raises Unusable where that says nothing."""
    came = _AS_IT_CAME.search(text) is not None
    if not came and name.casefold() not in _REPORT_FIELDS:
        return None
    found = main_text(text)
    if came and not found.section:
        raise Unusable("whole report without impression, findings or other text")
    # Without any header the last paragraph is only a part of what was given.
    return found if found.section and (came or found.section in ("impression", "findings")) else None


def _cut_label_line(text: str) -> tuple[str, str]:
    body, _, last = text.rstrip().rpartition("\n")
    return (body, last) if last.lstrip().casefold().startswith(PREFIXES["labels"].casefold()) else (text, "")
