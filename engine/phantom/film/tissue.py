"""Soft tissue of a healthy chest: outline, lungs, heart, mediastinum, airways, abdomen."""

import numpy as np

from engine.phantom.film.canvas import bump, clouds, generator, step
from engine.phantom.film.scene import Scene


def paint_tissue(scene: Scene) -> None:
    """Draw everything soft into the scene's density."""
    _outline(scene)
    _lungs(scene)
    _heart(scene)
    _abdomen(scene)
    _spine_and_airways(scene)
    _breasts(scene)


def _outline(scene: Scene) -> None:
    body, u, y = scene.body, scene.u, scene.y
    rng = generator(scene.seed, "outline")
    slope = rng.uniform(0.20, 0.30)
    out = np.clip(u - 0.25, 0, None)
    shoulder = (
        -0.42 + 0.16 * np.clip(out * 8, 0, 1) ** 0.5 + slope * out + 0.22 * np.clip(u - 1.0, 0, None) ** 2
    )
    neck = step(0.27 + 0.03 * body.fat - u, 0.06)
    above = np.maximum(step(y - shoulder, 0.06), neck)
    torso = 1.12 + 0.12 * body.fat + 0.05 * np.clip(y - 0.9, -0.6, 0.8)
    trunk = step(torso - u, 0.05)
    reach = 0.35 + 0.55 * body.arms
    along = np.clip((y - 0.1) / 1.3, 0, 1)
    arm = step(0.25 + 0.05 * body.fat - np.abs(u - 1.16 - reach * along - 0.12), 0.06)
    arm *= step(1.7 - y, 0.3)
    inside = np.maximum(trunk, arm) * above
    thin = 0.72 + 0.28 * np.clip((torso - u) * 4, 0, 1) * np.clip((y - shoulder) * 4, 0, 1)
    scene.add(inside * thin * np.float32(0.50 + 0.06 * body.fat))
    rim = np.clip(1 - np.abs(u - scene.wall - 0.035) * 22, 0, 1) * step(y - 0.12, 0.25)
    scene.add(0.09 * rim * (1 - 0.5 * step(y - scene.floor, 0.2)))


def _lungs(scene: Scene) -> None:
    depth = np.clip((scene.wall - scene.u) * 3.2, 0, 1)
    upper = np.clip(1.1 - scene.y, 0, 1)
    texture = clouds(generator(scene.seed, "lungs"), scene.x.shape, (12, 24, 48, 96))
    air = np.float32(0.27) + 0.08 * depth + 0.03 * upper - 0.008 * texture
    scene.add(-scene.lung * air)


def _heart(scene: Scene) -> None:
    inside = scene.inward
    solid = step(inside, 0.035) * (1 - scene.below) * step(scene.y + 0.35, 0.5)
    thick = np.clip(inside * 2.6, 0, 1)
    low = np.clip((scene.y - 0.3) * 1.2, 0, 1)
    scene.add(solid * (0.02 + (0.09 + 0.10 * low) * thick + 0.06 * low))
    for side in (1, -1):
        hilum = bump(scene.u, scene.y, (scene.edge(side, 0.72) + 0.04, 0.74 + 0.03 * side), (0.11, 0.17))
        scene.add(0.075 * hilum * scene.half(side) * scene.lung)


def _abdomen(scene: Scene) -> None:
    rng = generator(scene.seed, "abdomen")
    below = scene.y - scene.floor
    inside = scene.below * step(scene.wall + 0.05 - scene.u, 0.1)
    folds = clouds(rng, scene.x.shape, (5, 10))
    scene.add(
        inside
        * (0.22 + 0.10 * np.clip(below * 2.5, 0, 1) + 0.10 * np.clip(below - 0.1, 0, 1) + 0.018 * folds)
    )
    gas = bump(
        scene.x,
        scene.y,
        (rng.uniform(0.36, 0.52), scene.body.dome_left + rng.uniform(0.13, 0.2)),
        (0.17, 0.10),
    )
    amount = rng.uniform(0.0, 0.30)
    scene.add(-amount * np.clip(gas * 1.6, 0, 1) * inside)
    for _ in range(3):
        at = (rng.uniform(-0.7, 0.7), rng.uniform(1.75, 2.1))
        scene.add(
            -rng.uniform(0, 0.14) * inside * bump(scene.x, scene.y, at, (rng.uniform(0.06, 0.14), 0.07))
        )


def _spine_and_airways(scene: Scene) -> None:
    x, y, u = scene.x, scene.y, scene.u
    spine = step(0.105 - u, 0.05)
    low = np.clip((y - 0.2) * 0.8, 0, 1)
    scene.add(spine * (0.10 - 0.045 * low))
    phase = (y + 0.05) * np.float32(2 * np.pi / 0.153)
    scene.add(0.016 * np.cos(phase) * step(0.12 - u, 0.03))
    knob_push = -0.025 * bump(u, y, (0, 0.45), (1.0, 0.2))
    trachea = step(0.052 - np.abs(x - knob_push - 0.5 * scene.body.shift), 0.035)
    scene.add(-0.10 * trachea * step(0.56 - y, 0.1) * step(y + 0.55, 0.1))
    for side, spread in ((1, 0.85), (-1, 0.62)):
        along = np.clip(y - 0.53, 0, 0.26)
        bronchus = np.abs(x * side - 0.01 - spread * along - 0.5 * scene.body.shift * side)
        scene.add(-0.045 * step(0.038 - bronchus, 0.03) * step(y - 0.53, 0.05) * step(0.76 - y, 0.08))


def _breasts(scene: Scene) -> None:
    amount = scene.body.breast
    rng = generator(scene.seed, "breasts")
    low = 1.12 + rng.uniform(-0.05, 0.08)
    shape = bump(scene.u, scene.y, (0.62, low), (0.46, 0.42))
    under = step(low + 0.30 - scene.y - 0.35 * (scene.u - 0.62) ** 2, 0.06)
    scene.add(np.float32(0.085 * amount) * np.clip(shape * 1.7, 0, 1) * under)
