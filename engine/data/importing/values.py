"""What foreign records mean by a stage, a split, labels, ICD codes and EHR context."""

import ast
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.data.icd import from_dotted, is_icd
from engine.data.importing.missing import is_missing
from engine.data.labels import LABELS
from engine.stages import STAGES, Stage
from engine.words.printable import clean_line

_STAGE = re.compile(r"(?:stage)?[ _-]*(\w+?)(?:\.0+)?")
_STAGES = {
    name: stage for number, stage in enumerate(STAGES, 1) for name in (stage.letter.casefold(), str(number))
}
_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validate", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_LABEL_NAMES = {name.casefold(): name for name in LABELS} | {"airspace opacity": "Lung Opacity"}
_LABEL_VALUES: dict[str, int | None] = {
    **dict.fromkeys(("1", "1.0", "true", "positive", "present", "yes"), 1),
    **dict.fromkeys(("0", "0.0", "false", "negative", "absent", "no"), 0),
    **dict.fromkeys(("-1", "-1.0", "uncertain"), -1),
    "blank": None,
}
# A code without its dot, where no version is given: those of ICD-9 are told by their form.
_UNDOTTED = re.compile(r"[A-Z]\d[0-9A-Z]{2,5}|\d{4,5}")
_UNDOTTED_9 = re.compile(r"\d{4,5}|V\d{2,4}")
# E871 is E87.1 of ICD-10 and a category of ICD-9; so are V codes: the form does not tell.
_EITHER = re.compile(r"E\d{3}\.?\d?|V\d{2}\.?\d{0,2}")
_VERSION = re.compile(r"(?:icd)?[ _-]*(9|10)(?:\.0*)?(?:[ _-]*(?:cm|pcs))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Codes:
    """ICD codes as a record gives them.

    diagnoses: codes ("10:I509") with their titles ("" if none), each once. unknown: what could not be understood, and
    why. guessed: codes whose version nobody gave and whose form fits both.
    """

    diagnoses: list[tuple[str, str]]
    unknown: list[str]
    guessed: list[str]


def stage_meant(value: Any) -> Stage | None:
    """The stage that people mean by "A", "stage 1" or 2; None if it is none."""
    match = _STAGE.fullmatch(str(value).strip().casefold())
    return _STAGES.get(match[1]) if match else None


def split_of(value: Any) -> str | None:
    """ "train", "val" or "test"; None if the word is unknown."""
    return _SPLITS.get(str(value).strip().casefold())


def label_name(name: str) -> str | None:
    """The CheXpert name that a column or word means, whatever its case and underscores; None if it means none."""
    return _LABEL_NAMES.get(name.strip().replace("_", " ").casefold())


def labels_of(value: Any) -> tuple[dict[str, int | None], list[str]]:
    """Labels from an object of values or a list of positive names, and what in it could not be understood."""
    value = decoded(value)
    if isinstance(value, str):
        value = [part for part in re.split(r"[;,|]", value) if part.strip()]
    pairs: Iterable[tuple[Any, Any]]
    if isinstance(value, Mapping):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = ((name, 1) for name in value if not is_missing(name))
    else:
        return {}, [clean_line(str(value))]
    labels: dict[str, int | None] = {}
    unknown = []
    for name, state in pairs:
        known = label_name(str(name))
        word = str(state).strip().casefold()
        if known is None:
            unknown.append(clean_line(str(name)))
        elif is_missing(state):
            labels.setdefault(known, None)
        elif word in _LABEL_VALUES:
            labels[known] = _LABEL_VALUES[word]
        else:
            unknown.append(clean_line(f"{name}: {state}"))
    return labels, unknown


def version_of(value: Any) -> str | None:
    """ "9" or "10" from what people write for ICD's version (10, 9.0, "ICD-9-CM"); None if it is neither."""
    match = _VERSION.fullmatch(str(value).strip())
    return match[1] if match else None


def icd_of(value: Any, version: str | None = None) -> Codes:
    """The codes of a list, an object or a text. version: "9" or "10" where the record gives one for all of them."""
    value = decoded(value)
    if isinstance(value, str):
        value = re.split(r"[;|\n]", value)
        # Commas separate codes only where no titles stand between them, for titles have commas too.
        commas = [part.strip() for entry in value for part in entry.split(",")]
        value = commas if all(_code(part, version) for part in commas if part) else value
    if isinstance(value, Mapping):
        value = [value] if "icd_code" in value or "code" in value else [f"{c} {t}" for c, t in value.items()]
    codes: dict[str, str] = {}
    unknown, guessed = [], []
    for entry in value if isinstance(value, list) else [value]:
        if is_missing(entry):
            continue
        code, title, text, given = _entry(entry, version)
        if code is not None:
            codes.setdefault(code, title)
            if not given and _EITHER.fullmatch(text):
                guessed.append(text)
        else:
            unknown.append(text)
    return Codes(list(codes.items()), unknown, guessed)


def ehr_of(value: Any) -> tuple[str, dict[str, Any]]:
    """The context's text and, where it is an object, its values; the text of such is its "text" or else its items."""
    value = decoded(value)
    if isinstance(value, list):
        return "; ".join(filter(None, map(_shown, value))), {}
    if not isinstance(value, Mapping):
        return str(value).strip(), {}
    values = {str(name): item for name, item in value.items()}
    text = values.pop("text", None)
    if isinstance(text, str) and text.strip():
        return text.strip(), values
    shown = "; ".join(
        f"{name.replace('_', ' ')}: {_shown(item)}" for name, item in values.items() if _shown(item)
    )
    return (f"{shown}." if shown else ""), values


def decoded(value: Any) -> Any:
    """A cell that holds a list or object as JSON or as Python prints it, decoded; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        for decode in (json.loads, ast.literal_eval):
            try:
                return decode(value.strip())
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
    return value


def _entry(entry: Any, version: str | None) -> tuple[str | None, str, str, bool]:
    """The code, its title, what was given (with the reason where there is no code), and whether the version was."""
    title = ""
    if isinstance(entry, Mapping):
        text = entry.get("icd_code", entry.get("code", ""))
        title = clean_line(str(entry.get("long_title", entry.get("title")) or ""))
        own = entry.get("icd_version", entry.get("version"))
        if not is_missing(own):
            version = version_of(own)
            if version is None:
                return None, title, clean_line(f"{text} of version {own}"), True
    else:
        text = entry
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return None, title, clean_line(str(entry)), False
    if not isinstance(text, str):
        return None, title, f"{text}: a number has lost the zeros of its code", False
    if not isinstance(entry, Mapping):
        first, _, rest = text.strip().partition(" ")
        text, title = first.rstrip(":-"), clean_line(rest.lstrip(":- "))
        code = _code(text, version)
        return (
            code,
            title,
            text.upper() if code else clean_line(str(entry)),
            version is not None or ":" in text,
        )
    return _code(text, version), title, clean_line(text).upper(), version is not None


def _code(text: str, version: str | None) -> str | None:
    """ "10:I509" from a code with or without its dot; the version from its form where none is given."""
    text = text.strip().upper()
    if is_icd(text):
        return text
    if version is not None:
        versioned = f"{version}:{text.replace('.', '')}"
        return versioned if is_icd(versioned) else None
    if _UNDOTTED.fullmatch(text):
        return f"{'9' if _UNDOTTED_9.fullmatch(text) else '10'}:{text}"
    return from_dotted(text)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items() if _shown(item))
    if isinstance(value, list):
        return ", ".join(filter(None, map(_shown, value)))
    return "" if is_missing(value) else clean_line(str(value))
