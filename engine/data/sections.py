"""The sections of a MIMIC-CXR report, and the one among them that a model shall learn to write.

Follows what the official section parser means (impression, else findings, else the text after the headers;
the last of several impressions; wet reads never), and sees what it misses: headers in lower case or with
digits, headers at the start of a line, and a header directly behind an empty one.
"""

import re
from dataclasses import dataclass

from engine.words.printable import clean_line

_BOUNDARY = re.compile(r"^[ \t]*(?:_{10,}|FINAL REPORT|FINAL ADDENDUM)[ \t]*$", re.MULTILINE)
# Any header in capitals at the start of a line; usual ones in any case; those that matter within a line too.
_CAPITALS = r"^[ \t]*(?P<capitals>[A-Z][A-Z0-9 ()/,.&#-]{1,70})[ \t]*:(?=\s|\Z)"
_NAMES = (
    r"findings?(?: and impression|/impression)?|impressions?|conclusions?|indications?|comparisons?|"
    r"techniques?|history|clinical (?:history|information|indication)|reason for (?:exam|examination)|"
    r"examination|exam|study|recommendations?|notifications?|addendum|wet read"
)
_KNOWN = rf"^[ \t]*(?P<known>(?i:{_NAMES}))[ \t]*:"
_INLINE = r"\b(?P<inline>FINDINGS|IMPRESSION|CONCLUSION)[ \t]*:(?=\s|\Z)"
_HEADER = re.compile(f"{_CAPITALS}|{_KNOWN}|{_INLINE}", re.MULTILINE)

# The corpus has a dozen spellings of "impression", and findings under the name of the examination.
_IMPRESSION = re.compile(r"IMP\w*S+I?ON|CONCLUSION")
_WET_READ = re.compile(r"WET ?READ")
_FINDINGS = re.compile(
    r"FINDING|CHEST|PORTABLE|RIBS?\b|\bVIEWS?\b|RADIOGRAPH|UPRIGHT|SUPINE|ABDOMEN|\bPA AND LAT"
)
_ABOUT = ("EXAM", "COMPARISON", "INDICATION", "REASON", "HISTORY", "TECHNIQUE", "STUDY", "TYPE")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")


@dataclass(frozen=True, slots=True)
class Section:
    """name: the header in capitals, "" for text without one. text: as it stands, still wrapped."""

    name: str
    text: str


def split_sections(report: str) -> list[Section]:
    """The report's sections in their order, empty ones left out."""
    report = report.replace("\r\n", "\n").replace("\r", "\n")
    marks = [(match.start(), match.end(), _name(match)) for match in _HEADER.finditer(report)]
    marks += [(match.start(), match.end(), "") for match in _BOUNDARY.finditer(report)]
    marks.sort()
    sections = []
    for (_, start, name), (end, _, _) in zip(
        [(0, 0, ""), *marks], [*marks, (len(report), 0, "")], strict=True
    ):
        text = report[start:end]
        if text.strip():
            sections.append(Section(name, text))
    return sections


def main_text(report: str) -> tuple[str, str] | None:
    """Which section the model shall learn, and its text on one line; the "___" of removed information stays.

    The section is "impression", "findings" or "last_paragraph". None if the report has no such text.
    """
    sections = split_sections(report)
    for kind in ("impression", "findings"):
        texts = [section.text for section in sections if _kind(section.name) == kind]
        if texts:
            return kind, clean_line(texts[-1])
    return _last_paragraph(sections)


def _last_paragraph(sections: list[Section]) -> tuple[str, str] | None:
    candidates = [section for section in sections if _kind(section.name) != "wet read"]
    if not candidates:
        return None
    last = candidates[-1]
    _, *paragraphs = _BLANK_LINE.split(last.text.strip(" \t").lstrip("\n"))
    text = clean_line(" ".join(paragraphs))
    if not text and not last.name:
        text = clean_line(last.text)
    return ("last_paragraph", text) if text else None


def _name(match: re.Match[str]) -> str:
    return clean_line(next(group for group in match.groups() if group)).upper()


def _kind(name: str) -> str:
    if _WET_READ.search(name):
        return "wet read"
    if _IMPRESSION.search(name):
        return "impression"
    return "findings" if _FINDINGS.search(name) and not name.startswith(_ABOUT) else "other"
