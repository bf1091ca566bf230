"""The one text of a MIMIC-CXR report that a model shall learn to write.

As the official section parser means it: the last impression, else the findings, else what stands below the headers.
What that parser misses is seen (`layout`); a section that says nothing is passed over; why is told, so that it can be
counted. `docs/sections.md` lists where the two differ.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.data.sections.layout import MAIN, RULE, UNNAMED, Section, split_sections
from engine.data.sections.names import is_usual
from engine.data.sections.official import listed_text, official_text
from engine.words.printable import clean_line

SAYS_NOTHING = "{} that says nothing, passed over"
SEVERAL = "several impressions: the last one counts"
ELSEWHERE = "another part of the body in the same report, passed over"
JOINT = "several examinations under one impression"
WET_READ = "wet read, passed over"
ADDENDUM = "addendum"
NOTIFICATION = "notification, left out"
SIGNATURE = "signature, left out"
UNUSUAL = "text under an unusual name of a section"
REFERENCE = "reference at the beginning of a comparison, left out"
ONLY_PRELIMINARY = "nothing but a wet read"

_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_SENTENCE_END = re.compile(r"(?<=[.?!])(?<!\bDr\.)(?<!\bDR\.)\s+")
_TOLD_OF = {"addendum": ADDENDUM, "notification": NOTIFICATION, "signature": SIGNATURE}
_NUMBERING = re.compile(r"^(?:[\W_]|\d+[.)])+")
_POINTS_ELSEWHERE = re.compile(
    r"(?:same )?as (?:(?:described|noted|stated|detailed|mentioned|discussed|reported|given|per|in|the) )*"
    r"(?:above|below|findings?|body of (?:the )?report)|"
    r"(?:please )?(?:see|refer to)(?: (?!and\b|but\b)[\w/-]+){1,8}|"
    r"(?:described|noted|stated|detailed|discussed|given|dictated) (?:above|below)|"
    r"above|below|none|nil|n/a|not (?:given|applicable)"
)
_NOTIFIES = re.compile(
    r"\b(?:discussed|communicated|conveyed|relayed|notified|paged|telephoned|informed|reported|called|entered|posted)\b.*"
    r"\b(?:dr|drs|doctor|phone|telephone|telephonically|pager?|paged|nurse|team|physician|dashboard|e-?mail|at)\b",
    re.IGNORECASE,
)
_FINDING = re.compile(
    r"\b(?:lungs?|heart|pleura\w*|effusions?|pneumo\w+|opacit\w+|opacif\w+|consolidat\w+|edema|atelecta\w+|clear|silhouette|"
    r"mediastin\w+|fractures?|nodules?|mass|cardiomegaly|catheter|tube|acute|normal)\b",
    re.IGNORECASE,
)
_OF_THE_CHEST = re.compile(
    r"\b(?:lungs?|heart|pleura\w*|effusions?|pneumo\w+|opacit\w+|opacif\w+|consolidat\w+|edema|atelecta\w+|silhouette|"
    r"mediastin\w+|cardi\w+|chest|thora\w+|intrathoracic|pulmonary|ribs?)\b",
    re.IGNORECASE,
)
_SIGNED = re.compile(
    r"(?:(?:electronically )?signed|dictated|approved|transcribed|interpreted|reviewed|read|attending|radiologist|"
    r"resident)(?: and \w+)?(?: by| radiologist)?\b.{0,80}|(?:dr|md)\b[\w\s.,/()-]{0,60}|[\w.]+/[\w.]+|[\W_\d]+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class MainText:
    """section: `impression`, `findings`, `last_paragraph` or `comparison`, "" without a text; text: on one line.

    reasons: what was passed over, left out or odd, each once, worth counting over many reports.
    """

    section: str
    text: str
    reasons: tuple[str, ...] = ()


def main_text(report: str, study: str | None = None) -> MainText:
    """The text of the section that says something; the "___" of removed information stays.

    study: "s50414267"; the text of 54 studies is where the official list says, for no rule finds it.
    """
    if study is not None and (listed := listed_text(report, study)):
        return MainText(listed[0], clean_line(listed[1]), listed[2])
    reasons: dict[str, None] = {}
    sections = split_sections(report)
    found = _chosen(sections, lambda reason: reasons.setdefault(reason))
    if found is None:
        if any(section.preliminary for section in sections):
            reasons[ONLY_PRELIMINARY] = None
        return MainText("", "", tuple(reasons))
    return MainText(*found, tuple(reasons))


def official_main_text(report: str, study: str | None = None) -> MainText:
    """The same as the official parser has it, its line breaks joined."""
    kind, text, reasons = official_text(report, study)
    return MainText(kind if text.strip() else "", clean_line(text), reasons)


def _chosen(sections: Sequence[Section], tell: Callable[[str], None]) -> tuple[str, str] | None:
    final = [section for section in sections if not section.preliminary]
    if len(final) < len(sections):
        tell(WET_READ)
    for section in final:
        if section.kind in _TOLD_OF:
            tell(_TOLD_OF[section.kind])
    chest = [section for section in final if not section.elsewhere]
    if not any(_tells(section) for section in chest):
        chest = final
    elif len(chest) < len(final):
        tell(ELSEWHERE)
        if not _of_kind(chest, "impression"):
            joint = [part for part in _of_kind(final, "impression") if _OF_THE_CHEST.search(part.text)]
            chest = [*chest, *joint]
            if joint:
                tell(JOINT)
    for kind in MAIN:
        own = _of_kind(chest, kind)
        for section in reversed(own):
            text = without_signature(section.text, tell)
            if _says_nothing(text):
                tell(SAYS_NOTHING.format(kind))
                continue
            if kind == "impression" and len(own) > 1:
                tell(SEVERAL)
            if section.name and not is_usual(section.name):
                tell(UNUSUAL)
            return kind, text
    return _last_paragraph(chest, tell) or _comparison(chest, tell)


def _tells(section: Section) -> bool:
    return section.kind in MAIN or bool(section.text.strip())


def _of_kind(sections: Sequence[Section], kind: str) -> list[Section]:
    return [section for section in sections if section.kind == kind]


def _last_paragraph(sections: Sequence[Section], tell: Callable[[str], None]) -> tuple[str, str] | None:
    """What stands below the paragraph of a header, or under no header: of the last section that has such text."""
    for section in reversed(sections):
        if section.kind in (*_TOLD_OF, "recommendations", *MAIN):
            continue
        paragraphs = [part for part in _BLANK_LINE.split(section.text.strip("\n")) if part.strip()]
        if section.name:
            paragraphs = _below_the_header(section.text)
        elif section.kind == UNNAMED and paragraphs and _is_title(paragraphs[0]):
            paragraphs = paragraphs[1:]
        text = without_signature("\n\n".join(paragraphs), tell, whole=section.kind == RULE)
        if not _says_nothing(text):
            return "last_paragraph", text
    return None


def _below_the_header(text: str) -> list[str]:
    """The paragraphs after the first blank line, which may follow the header at once."""
    _, *paragraphs = _BLANK_LINE.split(text.strip(" \t") if text.startswith("\n") else text)
    return [part for part in paragraphs if part.strip()]


def _is_title(paragraph: str) -> bool:
    """`CHEST RADIOGRAPH`, `PA and lateral chest`: no sentence."""
    text = clean_line(paragraph)
    return text == text.upper() or (not text.endswith(".") and len(text.split()) < 10)


def _comparison(sections: Sequence[Section], tell: Callable[[str], None]) -> tuple[str, str] | None:
    """Some reports stand under COMPARISON, behind the words on what it was compared with."""
    for section in reversed(_of_kind(sections, "comparison")):
        sentences = _SENTENCE_END.split(clean_line(section.text))
        told = next((place for place, sentence in enumerate(sentences) if _FINDING.search(sentence)), None)
        if told is None:
            continue
        if told:
            tell(REFERENCE)
        return "comparison", without_signature(" ".join(sentences[told:]), tell)
    return None


def without_signature(text: str, tell: Callable[[str], None], whole: bool = False) -> str:
    """On one line and without the paragraphs at the end that only say who wrote it.

    whole: even if nothing is left.
    """
    paragraphs = [part for part in (clean_line(part) for part in _BLANK_LINE.split(text)) if part]
    while len(paragraphs) > (0 if whole else 1) and _SIGNED.fullmatch(paragraphs[-1]):
        if paragraphs.pop().strip(" _.,-"):
            tell(SIGNATURE)
    return " ".join(paragraphs)


def _says_nothing(text: str) -> bool:
    """Nothing, "___", "As above.", "See findings.", or only whom it was told."""
    if not any(character.isalpha() for character in text):
        return True
    plain = _NUMBERING.sub("", text).rstrip(" .!_")
    if _POINTS_ELSEWHERE.fullmatch(plain.lower()):
        return True
    return all(_NOTIFIES.search(part) and not _FINDING.search(part) for part in _SENTENCE_END.split(plain))
