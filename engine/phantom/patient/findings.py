"""From diseases to what a film shows: findings with side, zone, severity and certainty."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace

from engine.data.labels import LABELS
from engine.phantom.draws import pick
from engine.phantom.patient.rates import Rates
from engine.phantom.patient.truth import Finding, Severity

_SEVERITY = {Severity.MILD: 0.22, Severity.MODERATE: 0.50, Severity.SEVERE: 0.28}
_ONE_SIDE: dict[str | None, float] = {"left": 0.5, "right": 0.5}
_ANY_SIDE: dict[str | None, float] = {"left": 0.38, "right": 0.38, "both": 0.24}
_ANY_ZONE: dict[str | None, float] = {"upper": 0.33, "mid": 0.30, "lower": 0.37}
_SIDES: Mapping[str, Mapping[str | None, float]] = {
    "Atelectasis": {"left": 0.36, "right": 0.36, "both": 0.28},
    "Consolidation": _ONE_SIDE,
    "Edema": {"both": 1.0},
    "Fracture": _ONE_SIDE,
    "Lung Lesion": _ONE_SIDE,
    "Lung Opacity": _ANY_SIDE,
    "Pleural Effusion": {"left": 0.34, "right": 0.34, "both": 0.32},
    "Pleural Other": _ONE_SIDE,
    "Pneumonia": _ANY_SIDE,
    "Pneumothorax": _ONE_SIDE,
}
_ZONES: Mapping[str, Mapping[str | None, float]] = {
    "Atelectasis": {"lower": 0.85, "mid": 0.15},
    "Consolidation": _ANY_ZONE,
    "Fracture": _ANY_ZONE,
    "Lung Lesion": _ANY_ZONE,
    "Lung Opacity": _ANY_ZONE,
    "Pleural Other": {"upper": 0.45, "mid": 0.25, "lower": 0.30},
    "Pneumonia": _ANY_ZONE,
    "Pneumothorax": {"upper": 1.0},
}
#: Findings that stay where they were on the patient's other films.
_FIXED = ("Fracture", "Lung Lesion", "Pleural Other")
_DIRECT = {
    "effusion": "Pleural Effusion",
    "pneumothorax": "Pneumothorax",
    "collapse": "Atelectasis",
    "rib_fracture": "Fracture",
    "lung_tumour": "Lung Lesion",
    "pleural_scar": "Pleural Other",
}
_HEART_FAILURE: Mapping[Iterable[str], float] = {
    ("Cardiomegaly", "Edema"): 0.33,
    ("Cardiomegaly",): 0.40,
    ("Edema",): 0.17,
    (): 0.10,
}
_PNEUMONIA: Mapping[Iterable[str], float] = {
    ("Pneumonia",): 0.26,
    ("Pneumonia", "Consolidation"): 0.12,
    ("Pneumonia", "Lung Opacity"): 0.08,
    ("Consolidation",): 0.16,
    ("Lung Opacity",): 0.28,
    (): 0.10,
}


def draw_findings(
    rng: random.Random, places: random.Random, conditions: frozenset[str], sick: bool, rates: Rates
) -> tuple[tuple[Finding, ...], frozenset[str]]:
    """The findings of one study, in label order, and its conditions (an effusion may add its own).

    rng: the study's stream. places: the patient's stream, for findings that do not wander between films.
    """
    fixed = {label: _place(places, label) for label in _FIXED}
    labels, conditions = _labels(rng, conditions, sick, rates)
    findings = []
    for label in LABELS:
        severity = pick(rng, _SEVERITY)
        side, zone = fixed.get(label) or _place(rng, label)
        if label in labels:
            findings.append(_finding(label, severity, side, zone))
    findings = _hedge(rng, findings, rates.uncertain)
    return (*findings, *_devices(rng, places, findings, conditions)), conditions


def _labels(
    rng: random.Random, conditions: frozenset[str], sick: bool, rates: Rates
) -> tuple[set[str], frozenset[str]]:
    labels = {label for condition, label in _DIRECT.items() if condition in conditions}
    extra: set[str] = set()
    if "heart_failure" in conditions:
        labels.update(pick(rng, _HEART_FAILURE))
        extra.update({"Pleural Effusion"} if rng.random() < 0.36 else ())
    if "pneumonia" in conditions:
        labels.update(pick(rng, _PNEUMONIA))
        extra.update({"Pleural Effusion"} if rng.random() < 0.14 else ())
    if "lung_tumour" in conditions and rng.random() < 0.15:
        extra.add("Pleural Effusion")
    if "Pleural Effusion" in extra and rng.random() < 0.5:
        conditions = conditions | {"effusion"}
    labels |= extra
    if "Pleural Effusion" in labels and rng.random() < 0.18:
        labels.add("Atelectasis")
    for label, rate in rates.alone.items():
        if rng.random() < rate and sick:
            labels.add(label)
    return labels, conditions


def _place(rng: random.Random, label: str) -> tuple[str | None, str | None]:
    side = pick(rng, _SIDES.get(label, {None: 1.0}))
    zone = pick(rng, _ZONES.get(label, {None: 1.0}))
    return side, zone


def _finding(label: str, severity: Severity, side: str | None, zone: str | None) -> Finding:
    if label == "Pneumothorax" and severity is Severity.SEVERE:
        zone = None  # the whole lung has come off the wall
    detail = ""
    if label == "Lung Lesion":
        detail = "mass" if severity is Severity.SEVERE else "nodule"
    return Finding(label, severity, side, zone, detail)


def _hedge(rng: random.Random, findings: list[Finding], rate: float) -> list[Finding]:
    """Make some findings uncertain, never all of a study's."""
    draws = [rng.random() for _ in findings]
    spared = rng.randrange(len(findings)) if findings else -1
    return [
        replace(finding, certain=index == spared or draw >= rate)
        for index, (finding, draw) in enumerate(zip(findings, draws, strict=True))
    ]


def _devices(
    rng: random.Random, places: random.Random, findings: list[Finding], conditions: frozenset[str]
) -> list[Finding]:
    """Tubes and lines follow how sick the patient is; a pacemaker follows its disease."""
    load = sum(int(f.severity) for f in findings)
    kinds: list[tuple[str, str | None]] = []
    generator_side = pick(places, {"left": 0.85, "right": 0.15})
    if "paced_heart" in conditions:
        kinds.append(("pacemaker", generator_side))
    if rng.random() < 0.016 * min(load, 6):
        kinds += [("endotracheal_tube", None), ("enteric_tube", None)]
    elif rng.random() < 0.03:
        kinds.append(("enteric_tube", None))
    if rng.random() < 0.02 + 0.012 * min(load, 6):
        kinds.append(("central_line", pick(rng, {"right": 0.8, "left": 0.2})))
    elif rng.random() < 0.05:
        kinds.append(("picc", pick(rng, {"right": 0.65, "left": 0.35})))
    drained = [
        f for f in findings if f.label in ("Pneumothorax", "Pleural Effusion") and f.severity > Severity.MILD
    ]
    if drained and rng.random() < 0.16:
        side = drained[0].side if drained[0].side != "both" else rng.choice(("left", "right"))
        kinds.append(("chest_tube", side))
    return [Finding("Support Devices", Severity.MODERATE, side, None, kind) for kind, side in kinds]
