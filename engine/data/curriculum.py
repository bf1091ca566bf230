"""The curriculum file: one JSON line a sample, checked so that everything behind it can trust it."""

import json
import re
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from engine.data.icd import is_icd
from engine.data.labels import LABELS
from engine.errors import UserError
from engine.files.plain_file import open_plain
from engine.files.temporary import sweep, write_private
from engine.stages import STAGE_NAMES

SPLITS = ("train", "val", "test")
NO_EHR = "not available"

_TEXT_FIELDS = ("id", "subject_id", "study_id", "stage", "image", "prompt", "target", "split")
_LABEL_SET = frozenset(LABELS)
_LABEL_VALUES = (1, 0, -1, None)
#: A line is read whole: the longest record of a patient has a hundredth of this.
MAX_LINE_BYTES = 4_000_000
#: Characters of what names something; a file name may have no more bytes than this.
MAX_NAME = 255
_NAMES = ("id", "subject_id", "study_id")
_WINDOWS_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of the curriculum.

    image: path relative to the image root, with forward slashes.
    prompt: the question without image token; for a sample with EHR it contains `ehr["text"]` verbatim.
    target: the answer, its last line the label line (stage A) or the ICD line (stage B).
    labels: all 14 CheXpert names, each 1 (positive), 0 (negative), -1 (uncertain) or None (not mentioned).
    icd: codes with version and without dot, e.g. "10:I509".
    """

    id: str
    subject_id: str
    study_id: str
    stage: str
    image: str
    prompt: str
    target: str
    labels: dict[str, int | None]
    ehr: dict[str, Any] | None
    icd: tuple[str, ...]
    split: str


FIELDS: tuple[str, ...] = tuple(field.name for field in fields(Sample))
_FIELD_SET = frozenset(FIELDS)


def image_path_problem(path: str) -> str | None:
    """Why `path` must not be joined to an image root; None if it may."""
    if not path or "\0" in path:
        return "is empty or holds a NUL character"
    if path.startswith("/") or _WINDOWS_DRIVE.match(path):
        return "is absolute; give it relative to data.image_root"
    if "\\" in path:
        return "has backslashes; write it with forward slashes"
    if ".." in PurePosixPath(path).parts:
        return "leaves the image root ('..')"
    if any(len(part.encode("utf-8", "replace")) > MAX_NAME for part in path.split("/")) or len(path) > 4096:
        return "is longer than a path can be"
    return None


def sample_from_json(record: Any) -> Sample:
    """The sample that a decoded JSON line stands for. Raises ValueError with the reason if it is none."""
    if not isinstance(record, dict):
        raise ValueError("is not a JSON object")
    if record.keys() != _FIELD_SET:
        missing = [name for name in FIELDS if name not in record]
        if missing:
            raise ValueError(f"lacks the field {', '.join(missing)}")
        unknown = sorted(str(name) for name in record.keys() - _FIELD_SET)
        raise ValueError(f"has the unknown field {', '.join(brief(name)[1:-1] for name in unknown[:5])}")
    for name in _TEXT_FIELDS:
        value = record[name]
        if not isinstance(value, str):
            raise ValueError(f"field {name} must be text, not {type(value).__name__}")
        if not value:
            raise ValueError(f"field {name} is empty")
    for name in _NAMES:
        if len(record[name]) > MAX_NAME:
            raise ValueError(f"field {name} has {len(record[name]):,} characters; {MAX_NAME} are allowed")
    if record["stage"] not in STAGE_NAMES:
        raise ValueError(f"unknown stage {brief(record['stage'])}; known are {', '.join(STAGE_NAMES)}")
    if record["split"] not in SPLITS:
        raise ValueError(f"unknown split {brief(record['split'])}; known are {', '.join(SPLITS)}")
    if problem := image_path_problem(record["image"]):
        raise ValueError(f"image path {brief(record['image'])} {problem}")
    return Sample(
        **{name: record[name] for name in _TEXT_FIELDS},
        labels=_labels(record["labels"]),
        ehr=_ehr(record["ehr"], record["prompt"]),
        icd=_icd(record["icd"]),
    )


def _labels(value: Any) -> dict[str, int | None]:
    if not isinstance(value, dict):
        raise ValueError(f"field labels must be an object, not {type(value).__name__}")
    if not value.keys() <= _LABEL_SET:
        raise ValueError(f"unknown label {brief(min(value.keys() - _LABEL_SET))}")
    for name, state in value.items():
        if state not in _LABEL_VALUES or isinstance(state, (bool, float)):
            raise ValueError(f"label {name} must be 1, 0, -1 or null, not {brief(state)}")
    return complete_labels(value)


def _ehr(value: Any, prompt: str) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError(f"field ehr must be an object or null, not {type(value).__name__}")
    text = value.get("text")
    if not isinstance(text, str) or not text:
        raise ValueError("ehr.text is missing")
    if text not in prompt:
        raise ValueError("ehr.text does not appear in the prompt word for word")
    return value


def _icd(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"field icd must be a list, not {type(value).__name__}")
    for code in value:
        if not isinstance(code, str) or not is_icd(code):
            raise ValueError(f"ICD code {brief(code)} must look like '10:I509' or '9:4280' (version, no dot)")
    return tuple(value)


def read_curriculum(path: Path) -> list[Sample]:
    """All samples of the file, in its order. Raises UserError with file, line number and reason.

    What a killed writer of it has left beside it is removed.
    """
    sweep(path.parent)
    samples: list[Sample] = []
    seen: dict[str, int] = {}
    number = 0
    try:
        with open_plain(path, "rb") as lines:
            for number, line in enumerate(iter(lambda: lines.readline(MAX_LINE_BYTES + 1), b""), start=1):
                if len(line) > MAX_LINE_BYTES:
                    raise ValueError(f"the line has more than {MAX_LINE_BYTES:,} bytes")
                if line.isspace():
                    continue
                sample = sample_from_json(json.loads(line.decode("utf-8"), parse_constant=_refuse_constant))
                if b"\\ud" in line or b"\\uD" in line:
                    sample_to_json(sample).encode(
                        "utf-8"
                    )  # half a surrogate pair fails here, not at the store
                if sample.id in seen:
                    raise ValueError(f"id {sample.id!r} stands already on line {seen[sample.id]}")
                seen[sample.id] = number
                samples.append(sample)
    except OSError as error:
        raise UserError(f"{path}: cannot read the curriculum: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}:{number}: is not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{number}: broken JSON: {error.msg} (column {error.colno})") from error
    except RecursionError as error:
        raise UserError(f"{path}:{number}: JSON nested too deeply") from error
    except ValueError as error:
        raise UserError(f"{path}:{number}: {error}") from error
    if not samples:
        raise UserError(f"{path}: holds no samples; make one with `cxr-cockpit data build` or `data import`")
    return samples


def brief(value: Any) -> str:
    """A value of a stranger's file, short enough to be shown: most of a report must not end in a log."""
    return reprlib.repr(value)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON; use null")


def sample_to_json(sample: Sample) -> str:
    """The sample's line, without line end; same sample, same bytes."""
    return json.dumps(
        {name: getattr(sample, name) for name in FIELDS},
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    )


def write_curriculum(path: Path, samples: Iterable[Sample]) -> None:
    """Writes the file in one step, readable by its owner only: never half of it is there."""
    write_private(path, (sample_to_json(sample) + "\n" for sample in samples))


def without_ehr(sample: Sample) -> Sample:
    """The same question with the EHR context blanked; a sample without one comes back unchanged."""
    if sample.ehr is None:
        return sample
    return replace(sample, prompt=sample.prompt.replace(sample.ehr["text"], NO_EHR), ehr=None)


def complete_labels(labels: Mapping[str, int | None]) -> dict[str, int | None]:
    """All 14 names in their fixed order; names that `labels` lacks are None."""
    return {name: labels.get(name) for name in LABELS}
