"""Which split a sample belongs to: its maker's, one drawn by patient, or MIMIC's official one."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from engine.data.curriculum import Sample
from engine.data.importing.formats import read_records
from engine.data.importing.identity import dicom_id, identifier
from engine.data.importing.values import split_of
from engine.errors import UserError

Mode = Literal["keep", "patient", "official"]
MODES: tuple[Mode, ...] = get_args(Mode)

_VAL_SHARE = 0.1
_TABLE = ("mimic-cxr-2.0.0-split.csv.gz", "mimic-cxr-2.0.0-split.csv")

Placed = tuple[Sample, str]  # a sample and where it was read
Remark = Callable[[str, str], None]  # what is to be said, and where it applies


@dataclass(frozen=True)
class OfficialSplit:
    """MIMIC-CXR's own split, by image, study and patient; a patient in several of its splits is in none here."""

    images: dict[str, str] = field(default_factory=dict)
    studies: dict[str, str] = field(default_factory=dict)
    patients: dict[str, str] = field(default_factory=dict)

    def of(self, sample: Sample) -> str | None:
        """The sample's official split, by the most exact identity that the table has."""
        return (
            self.images.get(dicom_id(sample.image) or "")
            or self.studies.get(sample.study_id)
            or self.patients.get(sample.subject_id)
        )


def split_in_name(path: Path) -> str | None:
    """The one split that a file's name tells of ("train.json", "mimic_val.csv.gz"); None if none or several."""
    words = re.split(r"[^a-z]+", path.name.casefold())
    found = {split for word in words if (split := split_of(word))}
    return found.pop() if len(found) == 1 else None


def find_official_table(image_root: Path | None) -> Path | None:
    """MIMIC-CXR-JPG's split table beside the films; None if it is not there."""
    if image_root is None:
        return None
    return next((path for name in _TABLE if (path := image_root / name).is_file()), None)


def read_official(path: Path) -> OfficialSplit:
    """The official table. Raises UserError where it cannot be read, or lacks what it should say."""
    images: dict[str, str] = {}
    by_study: dict[str, set[str]] = {}
    by_patient: dict[str, set[str]] = {}
    for record in read_records(path):
        row = record.fields or {}
        try:
            split = split_of(row["split"])
            study, patient = identifier(row["study_id"]), identifier(row["subject_id"])
            image = row["dicom_id"]
        except (KeyError, ValueError) as error:
            raise UserError(
                f"{record.where}: is no row of MIMIC's split table (dicom_id, study_id, subject_id, split): {error}"
            ) from None
        if split is None:
            raise UserError(f"{record.where}: unknown split {str(row['split'])[:20]!r}")
        images[image.casefold()] = split
        by_study.setdefault(study, set()).add(split)
        by_patient.setdefault(patient, set()).add(split)
    if not images:
        raise UserError(f"{path}: holds no rows")
    return OfficialSplit(images, _only_one(by_study), _only_one(by_patient))


def kept(placed: Sequence[Placed], note: Remark) -> list[Placed]:
    """Samples without split follow their patient's other samples, else a hash of the patient: one in ten is val."""
    known: dict[str, str] = {}
    for sample, _ in placed:
        if sample.split:
            known.setdefault(sample.subject_id, sample.split)
    result = []
    for sample, where in placed:
        if not sample.split:
            note("no split: chosen by patient, 90 % train and 10 % val", where)
            sample = replace(sample, split=known.get(sample.subject_id) or _drawn(sample.subject_id))
        result.append((sample, where))
    return result


def by_patient(placed: Sequence[Placed], note: Remark) -> list[Placed]:
    """Every sample by its patient's hash, whatever split it came with."""
    result = []
    for sample, where in placed:
        split = _drawn(sample.subject_id)
        if sample.split and sample.split != split:
            note(f"split {sample.split} set aside: chosen anew by patient, 90 % train and 10 % val", where)
        result.append((replace(sample, split=split), where))
    return result


def by_table(placed: Sequence[Placed], official: OfficialSplit, note: Remark, drop: Remark) -> list[Placed]:
    """Every sample as MIMIC's table has it; what the table does not know is left out."""
    result = []
    for sample, where in placed:
        split = official.of(sample)
        if split is None:
            drop("not in MIMIC's split table", where)
            continue
        if sample.split and sample.split != split:
            note(f"split {sample.split} set aside: MIMIC's table says {split}", where)
        result.append((replace(sample, split=split), where))
    return result


def _drawn(subject_id: str) -> str:
    draw = int.from_bytes(hashlib.blake2b(subject_id.encode(), digest_size=8).digest(), "big") / 2**64
    return "val" if draw < _VAL_SHARE else "train"


def _only_one(splits: dict[str, set[str]]) -> dict[str, str]:
    return {key: next(iter(own)) for key, own in splits.items() if len(own) == 1}
