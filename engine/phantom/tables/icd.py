"""Discharge diagnoses of a phantom: which codes an admission gets, and their titles.

The codes fall in three groups, so that a model can be asked what it learnt from: those the picture tells
alone, those that laboratory and vital signs tell alone, and those that need both.
"""

from collections.abc import Sequence

from engine.phantom.patient.complaint import chief_complaint
from engine.phantom.patient.truth import Finding, Severity, StudyTruth

#: ICD-10-CM titles in the wording of d_icd_diagnoses, in the order of importance that `seq_num` follows.
TITLES_10: dict[str, str] = {
    "J939": "Pneumothorax, unspecified",
    "J189": "Pneumonia, unspecified organism",
    "I509": "Heart failure, unspecified",
    "J810": "Acute pulmonary edema",
    "J690": "Pneumonitis due to inhalation of food and vomit",
    "S2243XA": "Multiple fractures of ribs, bilateral, initial encounter for closed fracture",
    "S2241XA": "Multiple fractures of ribs, right side, initial encounter for closed fracture",
    "S2242XA": "Multiple fractures of ribs, left side, initial encounter for closed fracture",
    "S2231XA": "Fracture of one rib, right side, initial encounter for closed fracture",
    "S2232XA": "Fracture of one rib, left side, initial encounter for closed fracture",
    "J90": "Pleural effusion, not elsewhere classified",
    "N179": "Acute kidney failure, unspecified",
    "I4891": "Unspecified atrial fibrillation",
    "E875": "Hyperkalemia",
    "E871": "Hypo-osmolality and hyponatremia",
    "R918": "Other nonspecific abnormal finding of lung field",
    "R911": "Solitary pulmonary nodule",
    "J9811": "Atelectasis",
    "D649": "Anemia, unspecified",
    "E119": "Type 2 diabetes mellitus without complications",
    "J9859": "Other diseases of mediastinum, not elsewhere classified",
    "J929": "Pleural plaque without asbestos",
    "Z950": "Presence of cardiac pacemaker",
    "Z452": "Encounter for adjustment and management of vascular access device",
    "I10": "Essential (primary) hypertension",
    "R0602": "Shortness of breath",
    "R05": "Cough",
    "R42": "Dizziness and giddiness",
    "R55": "Syncope and collapse",
    "R109": "Unspecified abdominal pain",
    "R079": "Chest pain, unspecified",
}

#: The ICD-9-CM code and title of the codes that older admissions carry.
ICD_9: dict[str, tuple[str, str]] = {
    "I509": ("4280", "Congestive heart failure, unspecified"),
    "E119": (
        "25000",
        "Diabetes mellitus without mention of complication, type II or unspecified type, not stated as"
        " uncontrolled",
    ),
    "D649": ("2859", "Anemia, unspecified"),
    "I4891": ("42731", "Atrial fibrillation"),
    "Z950": ("V4501", "Cardiac pacemaker in situ"),
    "R911": ("79311", "Solitary pulmonary nodule"),
    "R918": ("79319", "Other nonspecific abnormal finding of lung field"),
    "I10": ("4019", "Unspecified essential hypertension"),
    "R079": ("78650", "Chest pain, unspecified"),
}

_MOST = 6
_LABORATORY = {
    "kidney_injury": "N179",
    "diabetes": "E119",
    "anemia": "D649",
    "hyponatremia": "E871",
    "hyperkalemia": "E875",
    "atrial_fibrillation": "I4891",
}
_PLAIN = {
    "shortness of breath": "R0602",
    "dyspnea": "R0602",
    "cough": "R05",
    "dizziness": "R42",
    "lightheadedness": "R42",
    "syncope": "R55",
    "abdominal pain": "R109",
}
_DEVICES = {"pacemaker": "Z950", "picc": "Z452", "central_line": "Z452"}
_AIRSPACE = ("Consolidation", "Lung Opacity", "Pneumonia")
_RIBS = {
    ("right", False): "S2231XA",
    ("left", False): "S2232XA",
    ("right", True): "S2241XA",
    ("left", True): "S2242XA",
}

#: Codes that the picture tells alone, those that the record tells alone, and those that need both.
IMAGE_CODES = (
    frozenset(_RIBS.values())
    | {"S2243XA", "J90", "J939", "J9811", "J929", "J9859", "R911", "R918"}
    | {*_DEVICES.values()}
)
EHR_CODES = frozenset(_LABORATORY.values())
BOTH_CODES = frozenset(("I509", "J810", "J189", "J690"))


def discharge_codes(studies: Sequence[StudyTruth]) -> list[str]:
    """ICD-10 codes without dot of an admission with these films, most important first, one to six.

    Where nothing else is to be coded, the complaint is.
    """
    codes = {code for study in studies for code in _picture_codes(study) | _clinical_codes(study)}
    if not codes:
        return [_PLAIN.get(chief_complaint(studies[0]), "R079")]
    return sorted(codes, key=tuple(TITLES_10).index)[:_MOST]


def earlier_codes(conditions: frozenset[str], lesion: str) -> list[str]:
    """What an earlier admission of a patient with these lasting conditions was coded with; never empty."""
    known = {
        "heart_failure": "I509",
        "diabetes": "E119",
        "anemia": "D649",
        "atrial_fibrillation": "I4891",
        "paced_heart": "Z950",
        "lung_tumour": lesion,
    }
    codes = {code for condition, code in known.items() if condition in conditions}
    return sorted(codes or {"I10"}, key=tuple(TITLES_10).index)


def lesion_code(findings: Sequence[Finding]) -> str:
    """A mass is an abnormal lung field, everything smaller a nodule."""
    return "R918" if any(finding.detail == "mass" for finding in findings) else "R911"


def heart_shows(study: StudyTruth) -> bool:
    """Whether the picture has a sign of heart failure, certain or not."""
    return any(finding.label in ("Edema", "Cardiomegaly") for finding in study.findings)


def _picture_codes(study: StudyTruth) -> set[str]:
    """What the picture tells alone: certain findings."""
    codes: set[str] = set()
    for finding in study.findings:
        if not finding.certain:
            continue
        match finding.label:
            case "Pleural Effusion":
                codes.add("J90")
            case "Pneumothorax":
                codes.add("J939")
            case "Atelectasis":
                codes.add("J9811")
            case "Pleural Other":
                codes.add("J929")
            case "Lung Lesion":
                codes.add(lesion_code((finding,)))
            case "Fracture":
                many = finding.severity > Severity.MILD
                codes.add(_RIBS.get((finding.side or "", many), "S2243XA"))
            case "Enlarged Cardiomediastinum":
                codes.add("J9859")
            case "Support Devices" if finding.detail in _DEVICES:
                codes.add(_DEVICES[finding.detail])
    return codes


def _clinical_codes(study: StudyTruth) -> set[str]:
    """What laboratory and vital signs tell, alone or together with the picture."""
    codes = {code for condition, code in _LABORATORY.items() if condition in study.conditions}
    if "heart_failure" in study.conditions:
        codes |= {"I509"} if heart_shows(study) else set()
    elif any(finding.label == "Edema" and finding.certain for finding in study.findings):
        codes.add("J810")
    shadows = [finding for finding in study.findings if finding.label in _AIRSPACE]
    if "pneumonia" in study.conditions:
        codes |= {"J189"} if shadows else set()
    else:
        low = {finding.zone == "lower" for finding in shadows if finding.certain}
        codes |= {"J690" if place else "R918" for place in low}
    return codes
