"""What was known about a patient when the film was taken, in numbers and in a few words for a prompt.

Nothing here may come from later: no discharge code, no outcome, no result stored after the film.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.words.printable import clean_line

_LONGEST_COMPLAINT = 80
#: From this age on MIMIC groups its patients; their number is no age.
_OLDEST = 90


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value, its unit in the prompt ("" for none), and what is known of it.

    mark: "high", "low", "abnormal" (flagged, nobody says which way), "normal", or None where nobody judged it.
    bound: "<" or ">" where only a bound of it is known. source: the row that it stands in.
    """

    value: float
    unit: str = ""
    mark: str | None = None
    bound: str = ""
    source: str = ""

    @property
    def abnormal(self) -> bool:
        return self.mark in ("high", "low", "abnormal")

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.bound}{rounded(self.value)}{unit}"


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

    def all_normal(self) -> bool:
        """Whether something was measured, and every value of it judged normal."""
        marks = [m.mark for m in (*self.vitals.values(), *self.labs.values())]
        return bool(marks) and all(mark == "normal" for mark in marks)

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


def judged(
    value: float, low: float | None, high: float | None, bound: str = "", flag: str | None = None
) -> str | None:
    """ "low", "high" or "normal" by the reference range, "abnormal" by the flag alone; None if nobody judged it.

    bound: "<" or ">" where `value` is only a bound; it is judged where the range leaves no doubt. An empty flag is no
    judgement: in these tables it is empty where nothing was looked at, too.
    """
    by_range = _by_range(value, low, high, bound) if low is None or high is None or low <= high else None
    flagged = (flag or "").strip().lower()
    if by_range in ("low", "high"):
        return by_range
    if flagged in _FLAGS:
        return _FLAGS[flagged]
    return "abnormal" if flagged and flagged not in _NORMAL_FLAGS else by_range or _flag_alone(flagged)


#: Flags of MIMIC ("abnormal", "delta") and of other laboratories' systems.
_FLAGS = {"h": "high", "hh": "high", "high": "high", "l": "low", "ll": "low", "low": "low"}
_NORMAL_FLAGS = ("n", "normal", "delta")


def _flag_alone(flag: str) -> str | None:
    return "normal" if flag in ("n", "normal") else None


def _by_range(value: float, low: float | None, high: float | None, bound: str) -> str | None:
    if low is None and high is None:
        return None
    if bound == "<":
        if high is not None and value > high:
            return None
        if low is not None and low > 0:
            return "low" if value <= low else None
        return "normal"
    if bound == ">":
        if high is not None:
            return "high" if value >= high else None
        return "normal" if low is None or value >= low else None
    if low is not None and value < low:
        return "low"
    return "high" if high is not None and value > high else "normal"


def vital(sign: VitalSign, value: float | None, source: str = "") -> Measurement | None:
    """The value judged, the temperature in °C; None if it is missing or cannot be."""
    if value is None:
        return None
    if sign is TEMPERATURE and value > 50:  # charted in °F, now and then in °C
        value = (value - 32) / 1.8
    if not sign.possible[0] <= value <= sign.possible[1]:
        return None
    value = float(rounded(value, one_decimal=sign is TEMPERATURE))
    return Measurement(value, sign.unit, judged(value, *sign.normal), source=source)


def rounded(value: float, one_decimal: bool = False) -> str:
    """As much of the number as a clinician reads: 139, 38.4, 2.4, 0.35, 0.012."""
    size = abs(value)
    places = 1 if one_decimal else 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 else 3
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _mark(measurement: Measurement) -> str:
    return f" ({measurement.mark})" if measurement.abnormal else ""


def _json(measurements: Mapping[str, Measurement]) -> dict[str, Any]:
    return {
        name: {"value": m.value, "unit": m.unit, "mark": m.mark} | ({"bound": m.bound} if m.bound else {})
        for name, m in measurements.items()
    }
