"""Lung vessels: trees that leave the hila, branch and taper."""

import numpy as np
from numpy.typing import NDArray

from engine.data.phantom.canvas import Field, Ink, generator
from engine.data.phantom.scene import Scene

_POINTS = 7
_LEVELS = 4


def draw_vessels(scene: Scene, congestion: float) -> Field:
    """The vessel layer, 0 … 1, at the picture's size. `congestion` 0 … 1 widens the vessels of the upper lungs."""
    ink = Ink(scene.frame)
    for side in (1, -1):
        rng = generator(scene.seed, "vessels", side)
        for curves, widths, value in reversed(_tree(scene, rng, side, congestion)):
            for points, width in zip(curves, widths, strict=True):
                ink.ribbon(points, width, value)
    return ink.field()


def _tree(
    scene: Scene, rng: np.random.Generator, side: int, congestion: float
) -> list[tuple[NDArray[np.float64], NDArray[np.float64], float]]:
    """Levels of branches: curves (n, points, 2), widths (n, points), and how bright the level is."""
    count = 9
    heading = np.linspace(-1.35, 1.42, count) + rng.uniform(-0.1, 0.1, count)
    origin = np.stack(
        [np.full(count, scene.edge(side, 0.74) - 0.01), 0.74 + 0.03 * side + 0.10 * np.sin(heading)], axis=1
    )
    length = rng.uniform(0.24, 0.34, count) * (1 + 0.15 * np.abs(np.sin(heading)))
    width = np.where(heading < 0, 0.026 + 0.014 * congestion, 0.036 + 0.006 * congestion)
    levels = []
    for level in range(_LEVELS):
        bend = rng.uniform(-0.5, 0.5, len(heading))
        t = np.linspace(0, 1, _POINTS)
        angle = heading[:, None] + bend[:, None] * t
        move = np.stack([np.cos(angle), np.sin(angle)], axis=2) * (length[:, None, None] / (_POINTS - 1))
        curves = origin[:, None, :] + np.cumsum(move, axis=1) - move[:, :1]
        widths = width[:, None] * (1 - 0.45 * t)
        drawn = curves.copy()
        drawn[:, :, 0] *= side
        levels.append((drawn, widths, (0.85, 0.72, 0.58, 0.45)[level]))
        forks = (3, 2, 2)[level] if level < _LEVELS - 1 else 0
        if not forks:
            break
        spread = np.tile(np.linspace(-0.42, 0.42, forks), len(heading)) + rng.uniform(-0.15, 0.15, forks * len(heading))
        place = np.tile(np.linspace(0.55, 0.98, forks), len(heading))
        index = np.repeat(np.arange(len(heading)), forks)
        node = np.round(place * (_POINTS - 1)).astype(int)
        origin = curves[index, node]
        heading = angle[index, node] + spread
        length = length[index] * rng.uniform(0.62, 0.85, len(index))
        width = np.maximum(widths[index, node] * 0.78, 0.006)
    return levels
