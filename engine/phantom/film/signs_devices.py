"""Tubes, lines and pacemakers: thin, bright, and where they belong."""

import numpy as np

from engine.phantom.film.anatomy import SIDES
from engine.phantom.film.canvas import Points, curve, generator
from engine.phantom.film.scene import Scene
from engine.phantom.patient.truth import Finding


def support_device(scene: Scene, finding: Finding) -> None:
    """Draw the device that `finding.detail` names. Raises KeyError for one that does not exist."""
    rng = generator(scene.seed, "device", finding.detail)
    _DRAW[finding.detail](scene, SIDES.get(finding.side or "right", -1), rng)


def _pacemaker(scene: Scene, side: int, rng: np.random.Generator) -> None:
    x, y = side * rng.uniform(0.66, 0.76), rng.uniform(0.24, 0.34)
    corner = np.linspace(0, 2 * np.pi, 40)
    shape = (
        np.sign(np.cos(corner)) * np.abs(np.cos(corner)) ** 0.6,
        np.sign(np.sin(corner)) * np.abs(np.sin(corner)) ** 0.6,
    )
    ink = scene.devices
    ink.polygon(np.stack([x + 0.115 * shape[0], y + 0.10 * shape[1]], axis=1), 0.90)
    ink.polygon(np.stack([x + 0.080 * shape[0], y + 0.062 * shape[1] + 0.02], axis=1), 0.70)
    ink.polygon(np.stack([x - side * 0.03 + 0.07 * shape[0], y - 0.10 + 0.032 * shape[1]], axis=1), 0.72)
    shift = scene.body.shift
    cava = -0.11 + shift
    heart = scene.edge(1, 1.2)
    vein = [(x - side * 0.06, y - 0.10), (side * 0.52, 0.13), (side * 0.28, 0.16), (cava + side * 0.05, 0.27)]
    ventricle = curve([*vein, (cava, 0.5), (cava - 0.01, 0.85), (0.02, 1.15), (heart * 0.72, 1.22)], 60)
    atrium = curve([*vein, (cava + 0.015, 0.5), (cava, 0.85), (cava - 0.01, 1.02), (cava - 0.09, 0.93)], 50)
    for lead in (ventricle, atrium):
        ink.line(lead, 0.014, 0.85)
        ink.line(lead[-4:], 0.026, 1.0)


def _endotracheal_tube(scene: Scene, side: int, rng: np.random.Generator) -> None:
    tip = rng.uniform(0.30, 0.42)
    sway = 0.5 * scene.body.shift
    path = curve([(0.012, -0.60), (-0.01, -0.2), (-0.014 + sway, 0.1), (-0.014 + sway, tip)], 30)
    _tube(scene, path, 0.050, 0.55)
    scene.devices.line(path + np.array([0.012, 0.0]), 0.010, 0.9)


def _enteric_tube(scene: Scene, side: int, rng: np.random.Generator) -> None:
    end = rng.uniform(0.40, 0.62)
    path = curve(
        [
            (0.03, -0.60),
            (0.035, 0.0),
            (0.03, 0.5),
            (0.055, 0.9),
            (0.09, 1.25),
            (0.20, 1.48),
            (end, 1.62),
            (end + 0.05, 1.72),
        ],
        60,
    )
    scene.devices.line(path, 0.020, 0.72)
    scene.devices.line(path[-6:], 0.030, 0.95)


def _central_line(scene: Scene, side: int, rng: np.random.Generator) -> None:
    tip = rng.uniform(0.58, 0.78)
    cava = -0.115 + scene.body.shift
    neck = side * rng.uniform(0.20, 0.27)
    path = curve(
        [(neck + side * 0.03, -0.50), (neck, -0.15), (side * 0.14, 0.12), (cava, 0.34), (cava - 0.005, tip)],
        40,
    )
    scene.devices.line(path, 0.019, 0.78)


def _picc(scene: Scene, side: int, rng: np.random.Generator) -> None:
    tip = rng.uniform(0.56, 0.76)
    cava = -0.115 + scene.body.shift
    path = curve(
        [
            (side * 1.45, 0.75), (side * 1.22, 0.42), (side * 0.98, 0.20), (side * 0.62, 0.10),
            (side * 0.28, 0.15), (cava + side * 0.05, 0.26), (cava, 0.42), (cava - 0.005, tip),
        ],
        60,
    )  # fmt: skip
    scene.devices.line(path, 0.014, 0.72)


def _chest_tube(scene: Scene, side: int, rng: np.random.Generator) -> None:
    entry = rng.uniform(0.95, 1.15)
    path = curve(
        [
            (side * 1.30, entry + 0.16),
            (side * 0.98, entry),
            (side * 0.76, 0.72),
            (side * 0.62, 0.42),
            (side * 0.46, 0.20),
        ],
        40,
    )
    _tube(scene, path, 0.056, 0.45)
    scene.devices.line(path, 0.012, 0.95)


def _tube(scene: Scene, path: Points, width: float, value: float) -> None:
    scene.devices.ribbon(path, width, value)
    scene.devices.ribbon(path, width * 0.62, value * 0.55)


_DRAW = {
    "pacemaker": _pacemaker,
    "endotracheal_tube": _endotracheal_tube,
    "enteric_tube": _enteric_tube,
    "central_line": _central_line,
    "picc": _picc,
    "chest_tube": _chest_tube,
}
