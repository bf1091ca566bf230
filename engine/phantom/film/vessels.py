"""Lung vessels: trees that leave the hila, branch and taper."""

import numpy as np

from engine.phantom.film.canvas import Field, Ink, Points, generator
from engine.phantom.film.scene import Scene

_POINTS = 7
_FORKS = (3, 2, 2, 0)
_BRIGHT = (0.88, 0.66, 0.46, 0.30)

#: Trunks: heading (radians below the horizontal, outwards), height and distance from the mediastinum where
#: they begin, length, width. The last ones are the descending artery and what leaves it.
_TRUNKS = np.array(
    [
        (-1.30, 0.62, 0.02, 0.26, 0.026),
        (-0.95, 0.64, 0.02, 0.26, 0.028),
        (-0.50, 0.67, 0.02, 0.26, 0.028),
        (-0.05, 0.74, 0.02, 0.25, 0.030),
        (0.38, 0.80, 0.03, 0.26, 0.032),
        (0.75, 0.86, 0.04, 0.27, 0.034),
        (1.30, 0.74, 0.03, 0.34, 0.052),
    ]
)


def draw_vessels(scene: Scene, congestion: float) -> Field:
    """The vessel layer, 0 … 1, at the picture's size.

    congestion: 0 … 1, widens above all the vessels of the upper lungs.
    """
    ink = Ink(scene.frame)
    trees = [_tree(scene, side, congestion) for side in (1, -1)]
    for level in reversed(range(len(_FORKS))):
        for tree in trees:
            curves, widths = tree[level]
            ink.ribbons(curves, widths, _BRIGHT[level])
    return ink.field()


def _tree(scene: Scene, side: int, congestion: float) -> list[tuple[Points, Points]]:
    """Levels of branches, trunks first: curves (n, points, 2) and widths (n, points)."""
    rng = generator(scene.seed, "vessels", side)
    heading, start, away, length, width = _TRUNKS.T
    heading = heading + rng.uniform(-0.14, 0.14, len(heading))
    start = start + rng.uniform(-0.03, 0.03, len(heading)) - 0.02 * side
    origin = np.stack([away - 0.05 + [scene.edge(side, y) for y in start], start], axis=1)
    length = length * rng.uniform(0.85, 1.2, len(heading))
    width = width * rng.uniform(0.8, 1.15, len(heading)) + np.where(heading < 0, 0.012, 0.004) * congestion
    t = np.linspace(0, 1, _POINTS)
    levels = []
    for forks in _FORKS:
        angle = heading[:, None] + rng.uniform(-0.7, 0.7, len(heading))[:, None] * t
        angle += 0.18 * np.sin(6 * t + rng.uniform(0, 6, len(heading))[:, None])
        move = np.stack([np.cos(angle), np.sin(angle)], axis=2) * (length[:, None, None] / (_POINTS - 1))
        curves = origin[:, None, :] + np.cumsum(move, axis=1) - move[:, :1]
        widths = width[:, None] * (1 - 0.5 * t)
        levels.append((curves * (side, 1.0), widths))
        if forks:
            index = np.repeat(np.arange(len(heading)), forks)
            jitter = rng.uniform(-0.22, 0.22, len(index))
            node = np.tile(np.linspace(3, _POINTS - 1, forks).round().astype(int), len(heading))
            origin = curves[index, node]
            heading = angle[index, node] + np.tile(np.linspace(-0.55, 0.5, forks), len(heading)) + jitter
            length = length[index] * rng.uniform(0.55, 0.90, len(index))
            width = np.maximum(widths[index, node] * 0.80, 0.007)
    return levels
