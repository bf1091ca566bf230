"""Which of a foreign record's fields is which of ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.data.importing.values import label_name
from engine.errors import UserError

#: Our fields and the names that others give them, best first; case, blanks and hyphens do not matter.
ALIASES: dict[str, tuple[str, ...]] = {
    "id": ("id", "sample_id", "uid", "question_id"),
    "subject_id": ("subject_id", "patient_id", "patient", "subject", "pid"),
    "study_id": ("study_id", "study", "accession", "accession_number"),
    "stage": ("stage",),
    "split": ("split", "subset", "partition"),
    "image": ("image", "image_path", "image_file", "img", "img_path", "images", "path", "file_name", "filename", "jpg"),
    "prompt": ("prompt", "question", "instruction", "query", "input"),
    "target": (
        "target", "answer", "response", "output", "completion", "impression", "report", "findings", "caption",
    ),
    "labels": ("labels", "chexpert", "chexpert_labels"),
    "icd": ("icd", "icd_codes", "icd10", "icd_10", "icd9", "diagnoses", "diagnosis_codes"),
    "ehr": ("ehr", "ehr_text", "ehr_context", "clinical_context", "context", "clinical_information"),
    "conversations": ("conversations", "messages", "conversation"),
}  # fmt: skip
_OURS = {alias: ours for ours, aliases in ALIASES.items() for alias in aliases}


@dataclass(frozen=True, slots=True)
class FieldMap:
    """What a mapping file says. fields: ours by theirs. constants: our field to the value that every record gets."""

    fields: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Understood:
    """ours: our fields that the record has. columns: label columns by CheXpert name. unknown: names left over."""

    ours: dict[str, Any]
    columns: dict[str, Any]
    unknown: list[str]


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
    """The record in our fields. Of several names for one field the best counts, the others are unknown."""
    found: dict[str, tuple[int, str]] = {}
    columns: dict[str, Any] = {}
    unknown: list[str] = []
    for name in record:
        if (label := label_name(name)) is not None and name not in mapping.fields:
            columns[label] = record[name]
            continue
        plain = name.strip().casefold().replace(" ", "_").replace("-", "_")
        ours = mapping.fields.get(name) or _OURS.get(plain)
        if ours is None:
            unknown.append(name)
            continue
        rank = -1 if name in mapping.fields else ALIASES[ours].index(plain)
        if ours not in found or rank < found[ours][0]:
            unknown += [found[ours][1]] if ours in found else []
            found[ours] = (rank, name)
        else:
            unknown.append(name)
    values = {ours: record[name] for ours, (_, name) in found.items()}
    return Understood({**values, **mapping.constants}, columns, unknown)
