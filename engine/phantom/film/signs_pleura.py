"""How diseases of the pleura look: fluid, air, and scars around the lung."""

import numpy as np

from engine.phantom.film.canvas import bump, clouds, generator, step
from engine.phantom.film.scene import Scene
from engine.phantom.film.signs_lung import sides, strength
from engine.phantom.patient.truth import Finding


def pleural_effusion(scene: Scene, finding: Finding) -> None:
    """Fluid that blunts the angle and climbs the wall, its upper edge hollow."""
    for side in sides(finding):
        rng = generator(scene.seed, "effusion", side)
        level = (1.33, 1.08, 0.70)[finding.severity - 1] + rng.uniform(-0.05, 0.05)
        climb = (0.16, 0.20, 0.16)[finding.severity - 1]
        from_wall = np.clip(scene.wall - scene.u, 0, None)
        surface = level + climb - climb * np.exp(-from_wall * np.float32(1 / 0.10))
        if finding.severity == 1:
            surface = surface + 0.5 * from_wall
        fluid = step(scene.y - surface, 0.05) * scene.half(side) * scene.lung
        deep = np.clip((scene.y - surface) * 2.0, 0, 1)
        amount = 1.0 if finding.certain else 0.5
        # Fluid takes the place of other opacities: the sum of both would outshine metal.
        replaced = np.clip(scene.density - scene.sound, 0, None)
        scene.add(np.float32(amount) * fluid * (0.34 + 0.16 * deep - 0.85 * replaced))
        scene.airy *= 1 - 0.97 * fluid


def pneumothorax(scene: Scene, finding: Finding) -> None:
    """Black empty space along the wall, bounded by the thin white line of the lung's edge."""
    faint = 1.0 if finding.certain else 0.6
    for side in sides(finding):
        rng = generator(scene.seed, "pneumothorax", side)
        width = (0.11, 0.20, 0.44)[finding.severity - 1] * rng.uniform(0.9, 1.1)
        reach = (0.75, 1.15, 3.0)[finding.severity - 1]
        heights = np.linspace(-0.01, 1.5, 60)
        gap = width * np.clip(1 - heights / reach, 0, 1) ** 0.7
        top = 0.7 * width
        edge = scene.body.wall_at(heights - top) - gap
        inner = np.array([scene.edge(side, float(y)) for y in heights])
        seen = (edge > inner + 0.02) & (heights < scene.body.diaphragm_at(edge, side)) & (gap > 0.012)
        over = np.interp(scene.y, heights, edge).astype(np.float32)
        space = step(scene.u - over, 0.02) * scene.half(side) * scene.lung
        space *= np.interp(scene.y, heights, np.clip(gap / 0.03, 0, 1)).astype(np.float32)
        collapsed = scene.half(side) * scene.lung * (1 - space)
        scene.add(np.float32(faint) * (-0.13 * space + np.float32(0.16 * width) * collapsed))
        scene.airy *= 1 - space
        if seen.sum() > 2:
            line = np.stack([side * edge[seen], heights[seen]], axis=1)
            scene.lines.line(line, 0.013, 0.62 * faint)


def pleural_other(scene: Scene, finding: Finding) -> None:
    """Thickened pleura: a cap over the apex or an uneven band along the wall, with chalky plaques."""
    power = strength(finding)
    thick = (0.06, 0.08, 0.105)[finding.severity - 1]
    for side in sides(finding):
        rng = generator(scene.seed, "scar", side)
        ripple = clouds(rng, scene.x.shape, (14, 28))
        if finding.zone == "upper":
            shrunk = scene.body.wall(scene.y - np.float32(1.7 * thick)) - np.float32(0.6 * thick)
            band = step(scene.u - shrunk + 0.012 * ripple, 0.02) * step(0.50 - scene.y, 0.16)
        else:
            middle, half = (0.70, 0.34) if finding.zone == "mid" else (1.12, 0.32)
            along = np.clip(1.25 - np.abs(scene.y - middle) / half, 0, 1)
            band = (
                step(scene.u - scene.wall + (thick + 0.014 * ripple) * np.minimum(along * 1.6, 1), 0.02)
                * along
            )
        band *= scene.half(side) * scene.lung
        scene.add(np.float32(0.30 * power) * band)
        scene.airy *= 1 - 0.8 * band
        for _ in range(2 * int(finding.severity)):
            y = {"upper": 0.16, "mid": 0.70, "lower": 1.12}[finding.zone or "mid"] + rng.uniform(-0.26, 0.26)
            y = max(y, 0.08)
            wall = float(scene.body.wall_at(np.array([y]))[0])
            at = (wall - thick * rng.uniform(0.3, 1.3), y)
            plaque = bump(scene.u, scene.y, at, (0.018, rng.uniform(0.02, 0.05)))
            scene.add(np.float32(0.34 * power) * np.clip(plaque * 2, 0, 1) * scene.half(side) * scene.lung)
