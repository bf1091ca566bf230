"""What is true of a phantom patient: the one source from which picture, report, labels and EHR are written.

Nothing here draws or words anything. `image`, `report`, `caption` and `ehr` each tell this truth in their own
way, so whatever they have in common is real signal and nothing else is.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Severity(IntEnum):
    MILD = 1
    MODERATE = 2
    SEVERE = 3


@dataclass(frozen=True)
class Finding:
    """One radiographic finding of a study.

    label: a CheXpert name other than "No Finding".
    side: the patient's side, "left", "right" or "both"; None where a side makes no sense (heart, mediastinum).
    zone: "upper", "mid" or "lower" lung; None where it makes no sense.
    detail: what kind it is, e.g. for Support Devices "pacemaker", "picc", "central_line", "endotracheal_tube",
        "enteric_tube", "chest_tube"; for Lung Lesion "nodule" or "mass"; else "".
    certain: False where the sign is drawn faint and the report hedges (CheXpert -1).
    """

    label: str
    severity: Severity
    side: str | None = None
    zone: str | None = None
    detail: str = ""
    certain: bool = True


@dataclass(frozen=True)
class StudyTruth:
    """One film. `seed` feeds every draw that only this film's picture and wording need."""

    subject_id: int
    study_id: int
    dicom_id: str
    taken: datetime
    view: str  # "PA" or "AP"
    findings: tuple[Finding, ...]
    conditions: frozenset[str]
    seed: int


@dataclass(frozen=True)
class PatientTruth:
    """One patient. `conditions` names diseases; see CONDITIONS for the ones that exist."""

    subject_id: int
    sex: str  # "M" or "F"
    age: int
    split: str  # "train", "validate" or "test", as the official split file says it
    studies: tuple[StudyTruth, ...]
    seed: int


#: Diseases a phantom can have. The first group shows in the picture, the second only in the EHR,
#: the third needs both: the picture alone, or the laboratory alone, does not tell it.
IMAGE_CONDITIONS = (
    "effusion",
    "pneumothorax",
    "collapse",
    "rib_fracture",
    "lung_tumour",
    "paced_heart",
    "pleural_scar",
)
EHR_CONDITIONS = (
    "kidney_injury",
    "diabetes",
    "anemia",
    "hyponatremia",
    "atrial_fibrillation",
    "hyperkalemia",
)
BOTH_CONDITIONS = ("heart_failure", "pneumonia")
CONDITIONS = IMAGE_CONDITIONS + EHR_CONDITIONS + BOTH_CONDITIONS
