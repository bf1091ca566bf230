"""What foreign records mean by a stage, a split, labels, ICD codes and EHR context."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from engine.data.icd import from_dotted, is_icd
from engine.data.labels import LABELS
from engine.stages import STAGES, Stage
from engine.words.printable import clean_line

_STAGE = re.compile(r"(?:stage)?[ _-]*(\w+)")
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
    **dict.fromkeys(("", "none", "null", "nan", "blank"), None),
}
_UNDOTTED = re.compile(r"[A-Z]\d[0-9A-Z]{1,5}|\d{3,5}")
_UNDOTTED_9 = re.compile(r"\d{3,5}|V\d{2,4}")


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
    value = _decoded(value)
    if isinstance(value, str):
        value = [part for part in re.split(r"[;,|]", value) if part.strip()]
    pairs: Iterable[tuple[Any, Any]]
    if isinstance(value, Mapping):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = ((name, 1) for name in value)
    else:
        return {}, [clean_line(str(value))]
    labels: dict[str, int | None] = {}
    unknown = []
    for name, state in pairs:
        known = label_name(str(name))
        word = str(state).strip().casefold()
        if known is None or word not in _LABEL_VALUES:
            unknown.append(clean_line(str(name) if known is None else f"{name}: {state}"))
        else:
            labels[known] = _LABEL_VALUES[word]
    return labels, unknown


def icd_of(value: Any) -> tuple[list[tuple[str, str]], list[str]]:
    """Codes ("10:I509") with their titles ("" if none), each once, and what could not be understood."""
    value = _decoded(value)
    if isinstance(value, str):
        value = re.split(r"[;|\n]", value)
        # Commas separate codes only where no titles stand between them, for titles have commas too.
        commas = [part.strip() for entry in value for part in entry.split(",")]
        value = commas if all(_code(part) for part in commas if part) else value
    if isinstance(value, Mapping):
        value = [value] if "icd_code" in value or "code" in value else [f"{c} {t}" for c, t in value.items()]
    codes: dict[str, str] = {}
    unknown = []
    for entry in value if isinstance(value, list) else [value]:
        code, title = _entry(entry)
        if code is not None:
            codes.setdefault(code, title)
        elif str(entry).strip():
            unknown.append(clean_line(str(entry)))
    return list(codes.items()), unknown


def ehr_of(value: Any) -> tuple[str, dict[str, Any]]:
    """The context's text and, where it is an object, its values; the text of such is its "text" or else its items."""
    value = _decoded(value)
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


def _decoded(value: Any) -> Any:
    """A cell that holds JSON, decoded; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (json.JSONDecodeError, RecursionError):
            return value
    return value


def _entry(entry: Any) -> tuple[str | None, str]:
    if isinstance(entry, Mapping):
        code = str(entry.get("icd_code", entry.get("code", ""))).strip().upper().replace(".", "")
        title = str(entry.get("long_title", entry.get("title", "")) or "")
        version = str(entry.get("icd_version", entry.get("version", "")) or "").strip()
        versioned = f"{version}:{code}"
        return (versioned if is_icd(versioned) else _code(code)), clean_line(title)
    first, _, rest = str(entry).strip().partition(" ")
    return _code(first.rstrip(":-")), clean_line(rest.lstrip(":- "))


def _code(text: str) -> str | None:
    text = text.strip().upper()
    if is_icd(text):
        return text
    if _UNDOTTED.fullmatch(text) and len(text) > 3:
        return f"{'9' if _UNDOTTED_9.fullmatch(text) else '10'}:{text}"
    return from_dotted(text)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items() if _shown(item))
    if isinstance(value, list):
        return ", ".join(filter(None, map(_shown, value)))
    return "" if value is None else clean_line(str(value))
