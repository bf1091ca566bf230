"""The shape of one chest: borders of lungs, heart and diaphragm, healthy or changed by findings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.phantom.film.canvas import Field, Points, generator, step
from engine.phantom.patient.truth import Finding, PatientTruth, StudyTruth

SIDES = {"left": 1, "right": -1}
_TABLE = np.linspace(-1.0, 3.0, 1601)
_CELL = np.float32(1600 / 4.0)


@dataclass(frozen=True)
class Body:
    """Measures in body units (see `canvas`). Right and left are the patient's."""

    ratio: float  # cardiothoracic
    heart_share_right: float  # of the heart's width
    knob: float  # reach of the aortic knob
    widened: float  # extra half width of the upper mediastinum
    shift: float  # of the mediastinum, to the patient's left
    dome_right: float
    dome_left: float
    fat: float  # 0 … 1
    breast: float  # 0 … 1
    rib_start: float
    rib_spacing: float
    rib_drop: float
    tall: float  # height of the chest against its width
    arms: float  # how far the scapulae and arms are turned out of the lungs

    def wall(self, y: Field) -> Field:
        """Half width of the rib cage's inside at height y."""
        return lookup(_wall(_TABLE), y)

    def wall_at(self, y: Points) -> Points:
        """As `wall`, for a few points."""
        return _wall(y)

    def border_left(self) -> Points:
        """Half width of heart and mediastinum towards the patient's left, over the table of heights."""
        heart = 1.96 * self.ratio * (1 - self.heart_share_right)
        size, wide = heart / 0.58, self.widened
        knots = [
            (-0.40, 0.14 + wide),
            (0.10, 0.14 + wide),
            (0.28, 0.15 + 1.2 * wide),
            (0.37, self.knob + wide),
            (0.47, self.knob + 0.01 + wide),
            (0.57, 0.19 + 0.9 * wide),
            (0.68, 0.21 + 0.4 * wide),
            (0.82, 0.29 * size),
            (1.00, 0.76 * heart),
            (1.12, 0.92 * heart),
            (1.24, heart),
            (1.34, 0.98 * heart),
            (1.48, 0.84 * heart),
            (1.70, 0.5 * heart),
        ]
        return self.shift + _smooth(knots)

    def border_right(self) -> Points:
        """As `border_left`, towards the patient's right."""
        heart = 1.96 * self.ratio * self.heart_share_right
        wide = self.widened
        knots = [
            (-0.40, 0.13 + wide),
            (0.10, 0.13 + wide),
            (0.30, 0.15 + wide),
            (0.50, 0.165 + 0.9 * wide),
            (0.66, 0.18 + 0.4 * wide),
            (0.78, max(0.18, 0.78 * heart)),
            (0.92, 0.96 * heart),
            (1.05, heart),
            (1.18, 0.97 * heart),
            (1.30, 0.86 * heart),
            (1.50, 0.6 * heart),
        ]
        return -self.shift + _smooth(knots)

    def dome(self, side: int) -> float:
        """Height of the diaphragm's top; side is +1 for left, -1 for right."""
        return self.dome_left if side > 0 else self.dome_right

    def diaphragm(self, x: Field) -> Field:
        """Height of the diaphragm at every x."""
        u = np.abs(x)
        top = np.float32(self.dome_right) + np.float32(self.dome_left - self.dome_right) * step(x, 0.5)
        out = np.clip(u - np.float32(0.47), 0, None)
        inner = np.clip(np.float32(0.47) - np.sqrt(x * x + np.float32(0.03)), 0, None)
        floor: Field = top + np.float32(0.95) * out * out + np.float32(0.5) * inner * inner
        return floor

    def diaphragm_at(self, u: Points, side: int) -> Points:
        """As `diaphragm`, for a few points at distance u from the spine."""
        return (
            self.dome(side) + 0.95 * np.clip(u - 0.47, 0, None) ** 2 + 0.5 * np.clip(0.47 - u, 0, None) ** 2
        )


def body_of(patient: PatientTruth, study: StudyTruth) -> Body:
    """The patient's chest on the day of the study."""
    own = generator(patient.seed, "body")
    film = generator(study.seed, "breath")
    woman = patient.sex == "F"
    dome = own.uniform(1.26, 1.36) + film.uniform(-0.03, 0.03) - (0.04 if study.view == "AP" else 0.0)
    body = Body(
        ratio=own.uniform(0.42, 0.475) + film.uniform(-0.005, 0.005),
        heart_share_right=own.uniform(0.29, 0.36),
        knob=own.uniform(0.20, 0.225) + 0.0007 * (patient.age - 18),
        widened=0.0,
        shift=0.0,
        dome_right=dome,
        dome_left=dome + own.uniform(0.04, 0.10),
        fat=own.uniform(0.0, 1.0),
        breast=own.uniform(0.35, 1.0) if woman else own.uniform(0.0, 0.15),
        rib_start=own.uniform(-0.09, -0.04),
        rib_spacing=own.uniform(0.143, 0.158),
        rib_drop=own.uniform(0.24, 0.36),
        tall=own.uniform(0.94, 1.08),
        arms=film.uniform(0.0, 0.6) if study.view == "AP" else film.uniform(0.5, 1.0),
    )
    for finding in study.findings:
        body = _changed(body, finding, generator(study.seed, "shape", finding.label))
    return body


def _changed(body: Body, finding: Finding, rng: np.random.Generator) -> Body:
    level = int(finding.severity) - 1
    side = SIDES.get(finding.side or "", 0)
    if finding.label == "Cardiomegaly":
        low = (0.555, 0.60, 0.655)[level] if finding.certain else 0.51
        return replace(body, ratio=low + rng.uniform(0, 0.035))
    if finding.label == "Enlarged Cardiomediastinum":
        wide = (0.09, 0.13, 0.175)[level] * (1 if finding.certain else 0.55)
        return replace(body, widened=wide * rng.uniform(0.9, 1.1), knob=body.knob + 0.02)
    if finding.label == "Atelectasis":
        lift = (0.06, 0.11, 0.16)[level] * (1 if finding.certain else 0.5)
        return replace(
            body,
            dome_left=body.dome_left - (lift if side >= 0 else 0),
            dome_right=body.dome_right - (lift if side <= 0 else 0),
            shift=body.shift + side * 0.25 * lift,
        )
    if finding.label == "Pneumothorax" and level == 2:
        return replace(body, shift=body.shift - side * 0.10)
    if finding.label == "Pleural Effusion" and level == 2:
        return replace(body, shift=body.shift - side * 0.05)
    return body


def lookup(table: Points, y: Field) -> Field:
    """Values of a table of heights (see `Body.border_left`) at every y."""
    cell = ((y + np.float32(1.0)) * _CELL).astype(np.int32)
    return np.take(table.astype(np.float32), cell, mode="clip")


def at_height(table: Points, y: float) -> float:
    """One value of a table of heights."""
    return float(np.interp(y, _TABLE, table))


def _wall(y: Points) -> Points:
    t = np.clip((y + 0.02) / 1.42, 0, 1)
    return 1.0 * np.sqrt(np.clip(1 - (1 - t) ** 3.2, 0, 1)) + 0.015 * np.clip(y - 1.3, 0, None)


def _smooth(knots: Sequence[tuple[float, float]]) -> Points:
    heights, values = zip(*knots, strict=True)
    table = np.interp(_TABLE, heights, values)
    width = 45
    padded = np.pad(table, width, mode="edge")
    for _ in range(2):
        padded = np.convolve(padded, np.full(width, 1 / width), mode="same")
    return padded[width:-width]
