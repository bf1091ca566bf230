"""Laboratory values and vital signs of a phantom: in the reference range unless a condition moves them."""

from dataclasses import dataclass, replace
from random import Random

from engine.phantom.patient.truth import StudyTruth
from engine.phantom.tables.icd import heart_shows

Range = tuple[float, float]

#: Probability that a value agrees with the conditions.
_FAITHFUL = 0.95
#: Failing kidneys raise NT-proBNP without heart failure; never where the picture has a sign of it, so that
#: laboratory and picture together stay clear.
_KIDNEY_RAISES_BNP = 0.3


@dataclass(frozen=True, slots=True)
class LabItem:
    """One row of d_labitems and how its values are drawn.

    usual, abnormal: ranges of values without and with one of `conditions`.
    ordered: probability to be measured.
    """

    itemid: int
    label: str
    category: str
    unit: str
    reference: Range
    usual: Range
    abnormal: Range
    decimals: int
    conditions: frozenset[str] = frozenset()
    ordered: float = 0.97
    fluid: str = "Blood"


@dataclass(frozen=True, slots=True)
class Value:
    """One result: `text` as the laboratory wrote it, `number` None where it gave no number."""

    item: LabItem
    text: str
    number: float | None

    @property
    def flag(self) -> str:
        low, high = self.item.reference
        return "" if self.number is None or low <= self.number <= high else "abnormal"


def _of(*names: str) -> frozenset[str]:
    return frozenset(names)


_CHEMISTRY = "Chemistry"
_HEMATOLOGY = "Hematology"
_LACTATE = LabItem(50813, "Lactate", "Blood Gas", "mmol/L", (0.5, 2.0), (0.7, 1.8), (2.5, 4.5), 1, _of(), 0.6)
_BICARBONATE = LabItem(
    50882, "Bicarbonate", _CHEMISTRY, "mEq/L", (22, 32), (23, 29), (14, 20), 0, _of("kidney_injury")
)
_A1C = LabItem(
    50852, "% Hemoglobin A1c", _CHEMISTRY, "%", (4.0, 6.0), (4.8, 5.7), (7.0, 11.5), 1, _of("diabetes"), 0.45
)
_CRP = LabItem(
    50889, "C-Reactive Protein", _CHEMISTRY, "mg/L", (0, 5), (0.3, 4.6), (55, 260), 1, _of("pneumonia"), 0.75
)
_CREATININE = LabItem(
    50912, "Creatinine", _CHEMISTRY, "mg/dL", (0.5, 1.2), (0.6, 1.1), (1.9, 5.5), 1, _of("kidney_injury")
)
_GLUCOSE = LabItem(
    50931, "Glucose", _CHEMISTRY, "mg/dL", (70, 105), (76, 103), (165, 390), 0, _of("diabetes")
)
_BNP = LabItem(
    50963, "NTproBNP", _CHEMISTRY, "pg/mL", (0, 450), (20, 330), (1900, 16000), 0, _of("heart_failure"), 0.93
)
_POTASSIUM = LabItem(
    50971, "Potassium", _CHEMISTRY, "mEq/L", (3.3, 5.1), (3.6, 4.8), (5.8, 7.2), 1, _of("hyperkalemia")
)
_SODIUM = LabItem(
    50983, "Sodium", _CHEMISTRY, "mEq/L", (133, 145), (135, 143), (117, 128), 0, _of("hyponatremia")
)
_TROPONIN = LabItem(
    51003, "Troponin T", _CHEMISTRY, "ng/mL", (0, 0.01), (0, 0.009), (0.04, 0.30), 2, _of(), 0.5
)
_UREA = LabItem(
    51006, "Urea Nitrogen", _CHEMISTRY, "mg/dL", (6, 20), (8, 19), (34, 95), 0, _of("kidney_injury")
)
_HEMOGLOBIN = LabItem(
    51222, "Hemoglobin", _HEMATOLOGY, "g/dL", (13.7, 17.5), (13.9, 16.8), (6.5, 9.6), 1, _of("anemia")
)
_HEMOGLOBIN_F = replace(_HEMOGLOBIN, reference=(11.2, 15.7), usual=(11.6, 15.2))
_PLATELETS = LabItem(
    51265, "Platelet Count", _HEMATOLOGY, "K/uL", (150, 400), (165, 380), (70, 130), 0, _of()
)
_WHITE_CELLS = LabItem(
    51301,
    "White Blood Cells",
    _HEMATOLOGY,
    "K/uL",
    (4.0, 10.0),
    (4.6, 9.6),
    (13.5, 24.0),
    1,
    _of("pneumonia"),
)

#: Every item, in the order of d_labitems.
ITEMS: tuple[LabItem, ...] = (
    _LACTATE,
    _A1C,
    _BICARBONATE,
    _CRP,
    _CREATININE,
    _GLUCOSE,
    _BNP,
    _POTASSIUM,
    _SODIUM,
    _TROPONIN,
    _UREA,
    _HEMOGLOBIN,
    _PLATELETS,
    _WHITE_CELLS,
)


def draw_panel(study: StudyTruth, sex: str, rng: Random) -> list[Value]:
    """The results of one blood drawing, ordered by itemid."""
    return [
        _draw(_HEMOGLOBIN_F if item is _HEMOGLOBIN and sex == "F" else item, study, rng)
        for item in ITEMS
        if rng.random() < item.ordered
    ]


def draw_again(value: Value, study: StudyTruth, rng: Random) -> Value:
    """The same item measured once more."""
    return _draw(value.item, study, rng)


def _draw(item: LabItem, study: StudyTruth, rng: Random) -> Value:
    moved = bool(item.conditions & study.conditions)
    if item is _BNP and not moved and "kidney_injury" in study.conditions and not heart_shows(study):
        moved = rng.random() < _KIDNEY_RAISES_BNP
    if rng.random() >= _FAITHFUL:
        moved = not moved
    number = round(rng.uniform(*(item.abnormal if moved else item.usual)), item.decimals)
    if item is _TROPONIN and not moved:
        return Value(item, "<0.01", None)
    return Value(item, f"{number:.{item.decimals}f}", number)


@dataclass(frozen=True, slots=True)
class Vitals:
    """Temperature in Fahrenheit, rates a minute, saturation in percent, pressures in mmHg."""

    temperature: float
    heartrate: int
    resprate: int
    o2sat: int
    sbp: int
    dbp: int
    rhythm: str
    pain: str


def draw_vitals(study: StudyTruth, rng: Random) -> Vitals:
    """One set of vital signs, with the rhythm the monitor shows ("" where nobody wrote it down)."""
    fever = _agrees("pneumonia", study, rng)
    flutter = _agrees("atrial_fibrillation", study, rng)
    breathless = bool(study.conditions & {"pneumonia", "heart_failure", "pneumothorax", "effusion"})
    heartrate = rng.randint(122, 156) if flutter else rng.randint(62, 108)
    rhythm = "Atrial Fibrillation" if flutter and "atrial_fibrillation" in study.conditions else ""
    if not rhythm and rng.random() < 0.4:
        rhythm = "Sinus Tachycardia" if heartrate > 100 else "Normal Sinus Rhythm"
    systolic = rng.randint(104, 158)
    return Vitals(
        temperature=round(rng.uniform(100.8, 103.4) if fever else rng.uniform(97.2, 99.3), 1),
        heartrate=heartrate,
        resprate=rng.randint(20, 30) if breathless and rng.random() < 0.8 else rng.randint(12, 19),
        o2sat=rng.randint(85, 93) if breathless and rng.random() < 0.7 else rng.randint(94, 100),
        sbp=systolic,
        dbp=round(systolic * rng.uniform(0.52, 0.66)),
        rhythm=rhythm,
        pain=str(rng.randint(0, 8)) if rng.random() < 0.92 else "unable",
    )


def _agrees(condition: str, study: StudyTruth, rng: Random) -> bool:
    """Whether the condition's sign is there: as the truth says it, 95 times of 100."""
    return (condition in study.conditions) == (rng.random() < _FAITHFUL)
