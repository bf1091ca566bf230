"""Which of a foreign record's fields is which of ours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.data.importing.missing import is_missing, mark_of
from engine.data.importing.values import label_name
from engine.errors import UserError

#: Our fields and the names that others give them, best first; case and what is neither letter nor digit do not matter.
ALIASES: dict[str, tuple[str, ...]] = {
    "id": ("id", "sample_id", "uid", "question_id"),
    "subject_id": ("subject_id", "patient_id", "patient", "subject", "pid"),
    "study_id": ("study_id", "study", "accession", "accession_number"),
    "stage": ("stage",),
    "split": ("split", "subset", "partition"),
    "image": ("image", "image_path", "image_file", "img", "img_path", "images", "path", "file_name", "jpg"),
    "prompt": ("prompt", "question", "instruction", "query", "input"),
    "target": (
        "target", "answer", "response", "output", "completion", "impression", "report", "findings", "caption", "text",
    ),
    "labels": ("labels", "chexpert", "chexpert_labels"),
    "icd": ("icd", "icd_codes", "icd_code", "icd10", "icd9", "diagnoses", "diagnosis_codes"),
    "icd_version": ("icd_version",),
    "ehr": ("ehr", "ehr_text", "ehr_context", "clinical_context", "context", "clinical_information"),
    "conversations": ("conversations", "messages", "conversation"),
}  # fmt: skip


def plain_name(name: str) -> str:
    """A field's name by its letters and digits: "Patient-ID" and "patient_id" are one."""
    return re.sub(r"[\W_]+", "", name.casefold())


_RANKS = {ours: [plain_name(alias) for alias in aliases] for ours, aliases in ALIASES.items()}
_OURS = {plain: ours for ours, plains in _RANKS.items() for plain in plains}


def is_known_field(name: str) -> bool:
    """Whether a record's field of this name means something to us."""
    return plain_name(name) in _OURS or label_name(name) is not None


@dataclass(frozen=True, slots=True)
class FieldMap:
    """What a mapping file says. fields: ours by theirs. constants: our field to the value that every record gets."""

    fields: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Understood:
    """What a record says in our words.

    ours: our fields that the record has, missing values left out. names: theirs for each of these. columns: label
    columns by CheXpert name. unknown: names left over. marks: how missing values were written, field by field.
    """

    ours: dict[str, Any]
    names: dict[str, str]
    columns: dict[str, Any]
    unknown: list[str]
    marks: list[tuple[str, str]]


def read_mapping(path: Path | None) -> FieldMap:
    """The mapping file: `fields:` (ours: theirs) and `constants:` (ours: value). Raises UserError if it is wrong."""
    if path is None:
        return FieldMap()
    from engine.files.yaml_file import read_yaml

    try:
        content = read_yaml(path)
    except OSError as error:
        raise UserError(f"{path}: cannot read the mapping: {error.strerror}") from error
    sections = content if isinstance(content, dict) else {}
    parts = {name: sections.get(name) or {} for name in ("fields", "constants")}
    known = sections.keys() <= parts.keys() and all(isinstance(part, dict) for part in parts.values())
    if not sections or not known:
        raise UserError(f"{path}: must hold `fields:` (ours: theirs) and/or `constants:` (ours: value)")
    for name in (name for part in parts.values() for name in part):
        if name not in ALIASES:
            raise UserError(f"{path}: unknown field {name!r}; ours are {', '.join(ALIASES)}")
    fields = {str(theirs): str(ours) for ours, theirs in parts["fields"].items()}
    return FieldMap(fields, {str(ours): str(value) for ours, value in parts["constants"].items()})


def understand(record: Mapping[str, Any], mapping: FieldMap) -> Understood:
    """The record in our fields. Of several names for one field the best that has a value counts."""
    candidates: dict[str, list[tuple[int, str]]] = {}
    columns: dict[str, Any] = {}
    unknown: list[str] = []
    for name in record:
        plain = plain_name(name)
        ours = mapping.fields.get(name) or _OURS.get(plain)
        if (label := label_name(name)) is not None and name not in mapping.fields:
            if is_missing(columns.get(label)):
                columns[label] = record[name]
            elif not is_missing(record[name]):
                unknown.append(name)
        elif ours is None:
            unknown.append(name)
        else:
            rank = -1 if name in mapping.fields else _RANKS[ours].index(plain)
            candidates.setdefault(ours, []).append((rank, name))
    values: dict[str, Any] = {}
    names: dict[str, str] = {}
    marks: list[tuple[str, str]] = []
    for ours, ranked in candidates.items():
        for _, name in sorted(ranked, key=lambda item: item[0]):
            if is_missing(record[name]):
                marks += [(name, mark)] if (mark := mark_of(record[name])) is not None else []
            elif ours in values:
                unknown.append(name)
            else:
                values[ours], names[ours] = record[name], name
    names |= dict.fromkeys(mapping.constants, "constants")
    return Understood({**values, **mapping.constants}, names, columns, unknown, marks)
