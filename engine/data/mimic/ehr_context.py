"""What was known about a patient when the film was taken, in numbers and in a few words for a prompt.

Nothing here may come from later: no discharge code, no outcome, no result stored after the film.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.words.printable import clean_line

MAX_HISTORY = 3
_LONGEST_COMPLAINT = 80
#: From this age on MIMIC groups its patients; their number is no age.
_OLDEST = 90


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value, its unit in the prompt ("" for none), and "high", "low", "normal" or None (no range known)."""

    value: float
    unit: str = ""
    mark: str | None = None

    @property
    def abnormal(self) -> bool:
        return self.mark in ("high", "low")

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{rounded(self.value)}{unit}"


@dataclass(frozen=True, slots=True)
class VitalSign:
    """Its name in prompts, its column in MIMIC-IV-ED, what is normal, what is possible at all."""

    name: str
    column: str
    unit: str
    normal: tuple[float, float]
    possible: tuple[float, float]


TEMPERATURE = VitalSign("Temp", "temperature", "C", (36.0, 38.0), (30.0, 43.0))
HEART_RATE = VitalSign("HR", "heartrate", "", (50.0, 100.0), (20.0, 260.0))
SYSTOLIC = VitalSign("BP", "sbp", "", (90.0, 160.0), (40.0, 300.0))
DIASTOLIC = VitalSign("diastolic BP", "dbp", "", (15.0, 200.0), (15.0, 200.0))  # the systolic one is judged
RESPIRATION = VitalSign("RR", "resprate", "", (10.0, 20.0), (3.0, 80.0))
SATURATION = VitalSign("SpO2", "o2sat", "%", (94.0, 100.0), (40.0, 100.0))
VITALS = (TEMPERATURE, HEART_RATE, SYSTOLIC, DIASTOLIC, RESPIRATION, SATURATION)

#: MIMIC-IV item ids of the key laboratory values, in the order of the prompt.
LABS: dict[int, str] = {
    50912: "Creatinine",
    51006: "Urea nitrogen",
    50983: "Sodium",
    50971: "Potassium",
    50882: "Bicarbonate",
    50931: "Glucose",
    51301: "WBC",
    51222: "Hemoglobin",
    51265: "Platelets",
    50963: "NT-proBNP",
    51003: "Troponin T",
    50813: "Lactate",
    50889: "CRP",
    51196: "D-dimer",
    51237: "INR",
    50862: "Albumin",
    50852: "HbA1c",
}


@dataclass(frozen=True, slots=True)
class EhrContext:
    """What may stand in a prompt. vitals and labs are keyed by name, in the order of the prompt."""

    age: int | None = None
    sex: str | None = None
    complaint: str = ""
    vitals: Mapping[str, Measurement] = field(default_factory=dict)
    labs: Mapping[str, Measurement] = field(default_factory=dict)
    history: Sequence[str] = ()

    def text(self) -> str:
        """The context for a prompt: every vital sign, the labs out of range, the normal ones in summary."""
        sentences = [self._person(), self._complaint(), self._vitals(), *self._labs(), self._history()]
        return " ".join(sentence for sentence in sentences if sentence) or "Nothing recorded."

    def abnormal(self) -> list[tuple[str, Measurement]]:
        """Names and values out of range, in the order in which `text` tells them."""
        named = [*self.vitals.items(), *self.labs.items()]
        return [(name, measurement) for name, measurement in named if measurement.abnormal]

    def measured(self) -> bool:
        return bool(self.vitals or self.labs)

    def to_json(self) -> dict[str, Any]:
        """The `ehr` field of a sample."""
        return {
            "age": self.age,
            "sex": self.sex,
            "complaint": self.complaint,
            "vitals": _json(self.vitals),
            "labs": _json(self.labs),
            "history": list(self.history),
            "text": self.text(),
        }

    def _person(self) -> str:
        age = "" if self.age is None else str(self.age) if self.age < _OLDEST else f"over {_OLDEST - 1}"
        person = " ".join(part for part in (age, self.sex or "") if part)
        return person and f"{person[0].upper()}{person[1:]}."

    def _complaint(self) -> str:
        complaint = clean_line(self.complaint)[:_LONGEST_COMPLAINT].strip(" .,").lower()
        return complaint and f"Complaint: {complaint}."

    def _vitals(self) -> str:
        parts = []
        for name, measurement in self.vitals.items():
            if name == DIASTOLIC.name:
                continue
            value = str(measurement)
            if name == SYSTOLIC.name and (diastolic := self.vitals.get(DIASTOLIC.name)):
                value = f"{measurement}/{diastolic}"
            parts.append(f"{name} {value}{_mark(measurement)}")
        return f"{', '.join(parts)}." if parts else ""

    def _labs(self) -> list[str]:
        named = [f"{name} {m}{_mark(m)}" for name, m in self.labs.items() if m.mark != "normal"]
        sentences = [f"{', '.join(named)}."] if named else []
        if len(named) < len(self.labs):
            sentences.append("Other labs normal." if named else "Labs normal.")
        return sentences

    def _history(self) -> str:
        return f"History: {'; '.join(self.history)}." if self.history else ""


def judged(value: float, low: float | None, high: float | None) -> str | None:
    """ "low", "high" or "normal" by the reference range; None if there is none."""
    if low is not None and value < low:
        return "low"
    if high is not None and value > high:
        return "high"
    return None if low is None and high is None else "normal"


def vital(sign: VitalSign, value: float | None) -> Measurement | None:
    """The value judged, the temperature in °C; None if it is missing or cannot be."""
    if value is None:
        return None
    if sign is TEMPERATURE and value > 50:  # charted in °F, now and then in °C
        value = (value - 32) / 1.8
    if not sign.possible[0] <= value <= sign.possible[1]:
        return None
    value = float(rounded(value, one_decimal=sign is TEMPERATURE))
    return Measurement(value, sign.unit, judged(value, *sign.normal))


def rounded(value: float, one_decimal: bool = False) -> str:
    """As much of the number as a clinician reads: 139, 38.4, 2.4, 0.35."""
    places = 1 if one_decimal else 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _mark(measurement: Measurement) -> str:
    return f" ({measurement.mark})" if measurement.abnormal else ""


def _json(measurements: Mapping[str, Measurement]) -> dict[str, Any]:
    return {name: {"value": m.value, "unit": m.unit, "mark": m.mark} for name, m in measurements.items()}
