"""How diseases of the lung itself look: opacities, oedema, collapse, nodules."""

import numpy as np

from engine.phantom.film.anatomy import SIDES
from engine.phantom.film.canvas import Field, bump, clouds, generator, step
from engine.phantom.film.scene import Scene
from engine.phantom.patient.truth import Finding

_ZONE = {"upper": 0.40, "mid": 0.74, "lower": 1.06}


def strength(finding: Finding) -> float:
    """How plainly a finding is drawn, 0 … 1: by severity, and about half where it is uncertain."""
    return (0.68, 0.86, 1.0)[finding.severity - 1] * (1.0 if finding.certain else 0.55)


def sides(finding: Finding) -> tuple[int, ...]:
    """+1 for the patient's left, -1 for the right."""
    return (1, -1) if finding.side == "both" else (SIDES[finding.side or "left"],)


def consolidation(scene: Scene, finding: Finding) -> None:
    """A dense, even lobe that ends sharply at a fissure, with air-filled bronchi running through it."""
    power = strength(finding)
    for side in sides(finding):
        rng = generator(scene.seed, "consolidation", side)
        region = _lobe(scene, finding.zone or "lower", side, 0.18 + 0.22 * finding.severity, rng)
        region *= scene.half(side) * scene.lung
        hilum = (scene.edge(side, 0.74) + 0.02, 0.74)
        bronchi = np.zeros_like(scene.x)
        for heading in _headings(finding.zone or "lower") + rng.uniform(-0.12, 0.12, 3):
            across = (scene.y - hilum[1]) * np.cos(heading) - (scene.u - hilum[0]) * np.sin(heading)
            along = (scene.u - hilum[0]) * np.cos(heading) + (scene.y - hilum[1]) * np.sin(heading)
            bent = across - np.float32(rng.uniform(-0.5, 0.7)) * along * along
            taper = np.clip(0.017 - 0.02 * along, 0.004, None)
            bronchi = np.maximum(
                bronchi, step(taper - np.abs(bent), 0.02) * step(along - 0.06, 0.05) * step(0.58 - along, 0.2)
            )
        scene.add(np.float32(0.34 * power) * region * (1 - np.float32(0.30) * bronchi))
        scene.airy *= 1 - 0.95 * region


def _headings(zone: str) -> Field:
    low, high = {"upper": (-1.1, -0.25), "mid": (0.05, 0.75), "lower": (0.55, 1.25)}[zone]
    return np.linspace(low, high, 3).astype(np.float32)


def _lobe(scene: Scene, zone: str, side: int, extent: float, rng: np.random.Generator) -> Field:
    u, y = scene.u, scene.y
    if zone == "upper":
        fissure = 0.70 + rng.uniform(-0.04, 0.04) - 0.05 * u
        return step(fissure - y, 0.02) * step(y - (fissure - extent - 0.1), 0.22)
    if zone == "mid":
        top = 0.78 + rng.uniform(-0.03, 0.03)
        lateral = scene.edge(side, 1.0) + 0.25 + 0.55 * extent
        return (
            step(y - top, 0.02)
            * step(top + 0.12 + extent * 0.55 - y - 0.1 * u, 0.12)
            * step(lateral - u, 0.2)
        )
    fissure = 1.28 - extent * 0.55 - 0.30 * (u - 0.5)
    return step(y - fissure, 0.025)


def pneumonia(scene: Scene, finding: Finding) -> None:
    """Several ill-defined fluffy patches that run into each other."""
    power = strength(finding)
    for side in sides(finding):
        rng = generator(scene.seed, "pneumonia", side)
        middle = _ZONE[finding.zone or "lower"]
        patches = np.zeros_like(scene.x)
        for _ in range(3 + 2 * int(finding.severity)):
            y = middle + rng.normal(0, 0.13)
            inner = scene.edge(side, y)
            at = (inner + rng.uniform(0.15, 0.9) * (0.9 - inner), y)
            radius = rng.uniform(0.07, 0.15)
            patches += rng.uniform(0.7, 1.1) * bump(
                scene.u, scene.y, at, (radius, radius * rng.uniform(0.7, 1.2))
            )
        fluff = clouds(rng, scene.x.shape, (20, 40, 80))
        ragged = (
            np.clip(np.minimum(patches, 1.15) * (1 + 0.42 * fluff), 0, 1.3) * scene.half(side) * scene.lung
        )
        scene.add(np.float32(0.27 * power) * ragged)
        scene.airy *= 1 - 0.6 * np.clip(ragged, 0, 1)


def lung_opacity(scene: Scene, finding: Finding) -> None:
    """A vague veil with soft edges, through which the vessels are still seen."""
    power = strength(finding)
    for side in sides(finding):
        rng = generator(scene.seed, "opacity", side)
        y = _ZONE[finding.zone or "mid"] + rng.uniform(-0.05, 0.05)
        inner = scene.edge(side, y)
        at = (inner + rng.uniform(0.45, 0.6) * (0.95 - inner), y)
        size = (0.20, 0.25, 0.31)[finding.severity - 1] * rng.uniform(0.92, 1.08)
        veil = bump(scene.u, scene.y, at, (size, size * rng.uniform(0.85, 1.05)))
        scene.add(np.float32(0.22 * power) * np.clip(veil * 1.25, 0, 1) * scene.half(side) * scene.lung)


def edema(scene: Scene, finding: Finding) -> None:
    """Haze that spreads from both hila like the wings of a bat, and short lines at the outer bases."""
    power = strength(finding)
    rng = generator(scene.seed, "edema")
    reach = (0.30, 0.36, 0.44)[finding.severity - 1]
    wings = bump(scene.u, scene.y, (0.36, 0.78), (reach, reach * 1.25), -0.25)
    mottle = clouds(rng, scene.x.shape, (10, 20, 40, 80))
    haze = np.clip(wings * 1.3, 0, 1) * (1 + 0.16 * mottle)
    base = np.clip((scene.y - 0.55) * 0.9, 0, 1)
    scene.add(scene.lung * np.float32(power) * (0.24 * haze + 0.06 * base + 0.02))
    scene.airy *= 1 - np.float32(0.45 * power) * np.clip(wings, 0, 1)
    for side in (1, -1):
        for number in range(3 + 2 * int(finding.severity)):
            y = 1.02 + 0.048 * number + rng.uniform(-0.01, 0.01)
            outer = float(scene.body.wall_at(np.array([y]))[0]) - 0.02
            inner = outer - rng.uniform(0.07, 0.13)
            points = np.array([[side * inner, y + 0.008], [side * outer, y]])
            scene.lines.line(points, 0.010, 0.38 * power)


def atelectasis(scene: Scene, finding: Finding) -> None:
    """Flat plates of collapsed lung, over a raised diaphragm."""
    power = strength(finding)
    for side in sides(finding):
        rng = generator(scene.seed, "atelectasis", side)
        floor = scene.body.dome(side) - (0.10 if finding.zone != "mid" else 0.42)
        for number in range(1 + int(finding.severity)):
            y = floor - 0.095 * number + rng.uniform(-0.015, 0.015)
            inner = scene.edge(side, y) + rng.uniform(0.0, 0.06)
            outer = min(0.92, inner + rng.uniform(0.36, 0.56))
            slant = rng.uniform(-0.20, 0.20)
            middle = (
                y + slant * (scene.u - (inner + outer) / 2) - 0.10 * (scene.u - inner) * (outer - scene.u)
            )
            thick = rng.uniform(0.014, 0.022)
            plate = step(thick - np.abs(scene.y - middle), 0.022)
            plate *= step(scene.u - inner, 0.05) * step(outer - scene.u, 0.10) * scene.half(side) * scene.lung
            scene.add(np.float32(0.26 * power) * plate)
        crowd = bump(scene.u, scene.y, (0.5, floor + 0.06), (0.42, 0.13))
        scene.add(np.float32(0.09 * power) * crowd * scene.half(side) * scene.lung)


def lung_lesion(scene: Scene, finding: Finding) -> None:
    """A round, well-defined nodule, or a bigger mass with a lobed edge."""
    for side in sides(finding):
        rng = generator(scene.seed, "lesion", side)
        y = _ZONE[finding.zone or "mid"] + rng.uniform(-0.08, 0.08)
        inner = scene.edge(side, y)
        size = (
            rng.uniform(0.15, 0.20)
            if finding.detail == "mass"
            else (0.058, 0.085, 0.10)[finding.severity - 1]
        )
        low, high = inner + size + 0.06, float(scene.body.wall_at(np.array([y]))[0]) - size - 0.04
        at_u = low + rng.uniform(0.15, 0.85) * max(0.0, high - low)
        du, dy = scene.u - np.float32(at_u), scene.y - np.float32(y)
        turn = np.arctan2(dy, du)
        lobed = 1.0 if finding.detail == "mass" else 0.4
        lobes = 1 + lobed * (
            0.06 * np.sin(3 * turn + rng.uniform(0, 6)) + 0.04 * np.sin(5 * turn + rng.uniform(0, 6))
        )
        inside = np.float32(size) * lobes - np.hypot(du, dy)
        round_ = step(inside, 0.022) * (0.72 + 0.28 * np.clip(inside / size, 0, 1))
        scene.add(np.float32(0.27 * (1 if finding.certain else 0.55)) * round_ * scene.half(side))
