"""A report cut into its sections.

A header is a name and a colon: in capitals at a line's start; in any case, or with digits, only at a paragraph's start
and only where the name is a known one; within a line only a known name in capitals behind the end of a sentence.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from engine.data.sections.names import ELSEWHERE, ORGAN, UNKNOWN, is_part, is_plain, kind_of, names_part

MAIN = ("impression", "findings")
#: Of text under no header: above the first one, or below a rule.
UNNAMED = "unnamed"
RULE = "rule"

_RULE = re.compile(r"[ \t]*_{10,}[ \t]*")
_REPORT = re.compile(r"[ \t]*(?:FINAL REPORT|FINAL ADDENDUM)[ \t]*:?[ \t]*")
# A byte order mark may stand before the first one.
_AT_LINE_START = re.compile(
    r"\ufeff?[ \t]*(?P<name>[A-Za-z][A-Za-z0-9 \t()/,.&#'-]{0,70}?)[ \t]*(?P<mark>[:;])(?P<next>\s|\Z|\S)"
)
_ALONE = re.compile(r"[ \t]*(?P<name>IMPRESSION|FINDINGS|CONCLUSION|WET READ|ADDENDUM)[ \t]*")
_WITHIN = re.compile(r"(?<=[.:!?;_)])[ \t]+(?P<name>[A-Z][A-Z ()/,-]{2,40}?)[ \t]*:(?=\s|\Z)")
# Words before a header's name that make it part of a sentence that was wrapped there.
_SENTENCE_GOES_ON = re.compile(
    r"\b(?:see|the|under|in|per|of|to|and|following|above|below|this|that|our|with|for|from|a|an)\s*\Z", re.I
)


@dataclass(frozen=True, slots=True)
class Section:
    """name: the header as it stands, "" without one. text: as it stands, still wrapped.

    elsewhere: of an examination of another part of the body. preliminary: of a wet read.
    """

    name: str
    kind: str
    text: str
    elsewhere: bool = False
    preliminary: bool = False


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a header or a boundary begins and ends."""

    start: int
    end: int
    name: str
    kind: str
    at_paragraph: bool = True  # a blank line, a boundary or nothing is before it


def split_sections(report: str) -> list[Section]:
    """The report's sections in their order, empty ones left out; sub-headings belong to the section they stand in."""
    marks = _without_sub_headings(report, [_Mark(0, 0, "", UNNAMED), *_marks(report)])
    ends = [mark.start for mark in marks[1:]] + [len(report)]
    sections = [
        Section(mark.name, mark.kind, report[mark.end : end]) for mark, end in zip(marks, ends, strict=True)
    ]
    return [section for section in _with_examination(_with_wet_reads(sections)) if section.text.strip()]


def _marks(report: str) -> Iterator[_Mark]:
    position, at_paragraph, before = 0, True, ""
    for line in report.splitlines(keepends=True):
        text = line.rstrip("\n")
        end = position + len(text)
        if _RULE.fullmatch(text) or _REPORT.fullmatch(text):
            yield _Mark(position, end, "", RULE if _RULE.fullmatch(text) else UNNAMED)
            at_paragraph, before = True, ""
        elif not text.strip():
            at_paragraph, before = True, ""
        else:
            header = _header(text, at_paragraph, before)
            if header is not None:
                name, kind, length = header
                yield _Mark(position, position + length, name, kind, at_paragraph)
            for match in _WITHIN.finditer(text, header[2] - 1 if header else 0):
                kind = kind_of(match["name"])
                if kind not in (UNKNOWN, ORGAN, ELSEWHERE):
                    yield _Mark(
                        position + match.start("name"), position + match.end(), match["name"], kind, False
                    )
            at_paragraph, before = False, text
        position += len(line)


def _header(line: str, at_paragraph: bool, before: str) -> tuple[str, str, int] | None:
    """Name, kind and length of the header that the line begins with."""
    if at_paragraph and (alone := _ALONE.fullmatch(line)):
        return alone["name"], kind_of(alone["name"]), len(line)
    match = _AT_LINE_START.match(line)
    if match is None or _SENTENCE_GOES_ON.search(before):
        return None
    name, kind = match["name"], kind_of(match["name"])
    capitals = name == name.upper() and not re.search(r"\d", name)
    if not capitals and not (at_paragraph and is_plain(name)):
        return None
    joined = bool(match["next"].strip())
    if (joined or match["mark"] == ";") and not (kind in MAIN and is_plain(name)):
        return None
    if kind == UNKNOWN and not at_paragraph:
        return None
    return name, kind, match.end("mark")


def _without_sub_headings(report: str, marks: list[_Mark]) -> list[_Mark]:
    """The marks that cut. Names of organs never do, unknown names not within the impression or the findings."""
    kept: list[_Mark] = []
    for place, mark in enumerate(marks):
        above = kept[-1] if kept else None
        within = above is not None and above.kind in MAIN
        if mark.kind == ORGAN or (mark.kind == UNKNOWN and within):
            if above is not None and _opens_findings(report, above, mark):
                kept.append(_Mark(mark.start, mark.start, "", "findings"))
            continue
        next_start = marks[place + 1].start if place + 1 < len(marks) else len(report)
        if within and above is not None and not is_film_name(above.name):
            has_text = bool(report[mark.end : next_start].strip())
            if is_part(mark.name) and has_text:
                continue
            nothing_yet = not report[above.end : mark.start].strip()
            if nothing_yet and mark.name != mark.name.upper() and mark.kind not in MAIN:
                continue  # "IMPRESSION:" and below it "Comparison: ___."
        kept.append(mark)
    return kept


def is_film_name(name: str) -> bool:
    """Whether a section of the kind `findings` bears the name of an examination."""
    return kind_of(name) == "findings" and "FINDING" not in name.upper() and is_plain(name)


def _opens_findings(report: str, above: _Mark, mark: _Mark) -> bool:
    """Whether a list of organs begins below a header whose own text is over, with no blank line between the two."""
    between = report[above.end : mark.start]
    return (
        mark.kind == ORGAN
        and len(mark.name) > 3
        and above.kind not in (*MAIN, UNNAMED, RULE)
        and "\n" in between
        and not re.search(r"\n[ \t]*\n", between.strip(" \t"))
        and re.search(r"[.:_)?]\s*\Z", report[above.start : mark.start]) is not None
    )


def _with_wet_reads(sections: list[Section]) -> Iterator[Section]:
    """Marks what a wet read holds: up to the boundary behind which the report begins, else its own section alone."""
    until = 0
    for place, section in enumerate(sections):
        if section.kind == "wet read" and place >= until:
            behind = range(place + 1, len(sections))
            until = next((later for later in behind if _report_begins(sections[later:])), place + 1)
        yield replace(section, preliminary=place < until)


def _report_begins(sections: list[Section]) -> bool:
    """Whether the first is a rule or FINAL REPORT, and more than a signature comes behind it."""
    first, *rest = sections
    if first.kind == RULE:
        return any(section.name for section in rest)
    return first.kind == UNNAMED and (bool(first.text.strip()) or any(section.name for section in rest))


def _with_examination(sections: Iterator[Section]) -> Iterator[Section]:
    """Marks what is told of an examination of another part of the body."""
    elsewhere = False
    for section in sections:
        if section.kind == UNNAMED:
            elsewhere = False
        elif section.kind == ELSEWHERE:
            elsewhere = True
        elif is_film_name(section.name):
            elsewhere = False
        elif section.kind == "examination" and (part := names_part(section.text)):
            elsewhere = part == ELSEWHERE
        yield replace(section, elsewhere=elsewhere)
