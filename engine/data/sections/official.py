"""The text that the official section parser of MIMIC-CXR makes of a report, character by character.

What `section_parser.py` and `create_section_files.py` of MIT-LCP/mimic-cxr do, oddities included: the labels of
MIMIC-CXR-JPG were made from that text. https://github.com/MIT-LCP/mimic-cxr/tree/master/txt
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from engine.data.sections.names import official_kind
from engine.files.yaml_file import read_yaml

_FILE = Path(__file__).with_name("official_studies.yaml")
_HEADER = re.compile(r"\n ([A-Z ()/,-]+):\s")
_GAP = "\n \n"
#: In this order: the last section of the first kind that there is.
_KINDS = ("impression", "findings", "last_paragraph", "comparison")

#: Why a text was taken by a study's number and no rule.
BY_NUMBER = "text by the official list of studies"
NOT_AS_LISTED = "study of the official list whose report does not fit the list: read as any other"


def official_text(report: str, study: str | None = None) -> tuple[str, str, tuple[str, ...]]:
    """Kind of section, its text as it stands (line breaks and all), and the reasons worth counting.

    study: "s50414267", for the 54 studies that the official parser knows by number. The kind is "" without a text.
    """
    sections = official_sections(report)
    if study is not None and (listed := listed_text(report, study)):
        return listed
    reasons = (NOT_AS_LISTED,) if study in _listed("sections") else ()
    for kind in _KINDS:
        for name, text in reversed(sections):
            if name == kind:
                return kind, text.strip(), reasons
    return "", "", reasons


def listed_text(report: str, study: str) -> tuple[str, str, tuple[str, ...]] | None:
    """The same for a study of the official list; None for any other, and where the listed section is not there."""
    if study in (characters := _listed("characters")):
        start, end = characters[study]
        text = report[start:end]
        return ("last_paragraph" if text else ""), text, (BY_NUMBER,)
    name = _listed("sections").get(study)
    for kind, text in reversed(official_sections(report)):
        if kind == name:
            return "last_paragraph", text.strip(), (BY_NUMBER,)
    return None


def official_sections(report: str) -> list[tuple[str, str]]:
    """Kind and text of each section in order; beside the official names "preamble", "full report", "last_paragraph"."""
    sections = _cut(report)
    sections = [(kind, text) for kind, text in sections if text.strip() or kind not in _KINDS[:2]]
    if not any(kind in _KINDS[:2] for kind, _ in sections):
        kind, text = sections[-1]
        first, gap, rest = text.partition(_GAP)
        if gap:
            sections[-1:] = [(kind, first), ("last_paragraph", rest)]
    return sections


def _cut(report: str) -> list[tuple[str, str]]:
    header = _HEADER.search(report)
    if header is None:
        return [("full report", report)]
    sections = [("preamble", report[: header.start(1)])]
    while header is not None:
        start, kind = header.end(), official_kind(header[1])
        # Whatever else stands on the header's own line is text, a second header too.
        line_end = max(report.find("\n", start), start)
        header = _HEADER.search(report, line_end)
        sections.append((kind, report[start : header.start() if header else len(report)]))
    return sections


@cache
def _listed(key: str) -> Mapping[str, Any]:
    """Study → section's name, or → first and last character."""
    listed: dict[str, Any] = read_yaml(_FILE)[key]
    if key == "sections":
        return {study: kind for kind, studies in listed.items() for study in studies}
    return listed
