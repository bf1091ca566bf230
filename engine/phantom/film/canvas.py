"""The drawing ground: body coordinates on a pixel grid, soft fields, and anti-aliased ink.

Body coordinates: x is 0 at the spine and 1 at the inner wall of the patient's left chest, which is the
picture's right; y is 0 at the lung apices and grows downwards, the right diaphragm stands near 1.3.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from engine.seeds import seed_for

Field = NDArray[np.floating[Any]]  # float32 wherever it has the size of a picture
Points = NDArray[np.float64]

#: Soft fields are computed on a grid this much coarser than the picture.
COARSE = 2
#: Ink is drawn this much finer than the picture.
FINE = 2


def generator(seed: int, *names: object) -> np.random.Generator:
    """A numpy stream of its own for the thing called `names` under `seed`."""
    return np.random.Generator(np.random.SFC64(seed_for(seed, *names)))


@dataclass(frozen=True)
class Frame:
    """Where the body lies in a picture of `height` x `width` pixels: turned and scaled about a centre."""

    height: int
    width: int
    centre: tuple[float, float]  # picture coordinates of body point (0, MIDDLE)
    scale: tuple[float, float]  # pixels for one unit of body x and y
    angle: float  # radians, clockwise in the picture

    MIDDLE = 0.85

    def pixels(self, points: Points) -> Points:
        """Body points (..., 2) to picture points (..., 2)."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        turn = np.array(
            [[cos * self.scale[0], sin * self.scale[0]], [-sin * self.scale[1], cos * self.scale[1]]]
        )
        placed: Points = (points - (0.0, self.MIDDLE)) @ turn + self.centre
        return placed

    def grid(self) -> tuple[Field, Field]:
        """Body x and y of every coarse cell, each (height / COARSE, width / COARSE)."""
        columns, rows = _cells(self.height // COARSE, self.width // COARSE)
        u = columns - np.float32(self.centre[0])
        v = rows - np.float32(self.centre[1])
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        x = (u * cos + v * sin) / np.float32(self.scale[0])
        y = (v * cos - u * sin) / np.float32(self.scale[1]) + np.float32(self.MIDDLE)
        return x, y


@lru_cache(maxsize=16)
def _cells(height: int, width: int) -> tuple[Field, Field]:
    columns = (np.arange(width, dtype=np.float32) + 0.5) * COARSE
    rows = (np.arange(height, dtype=np.float32) + 0.5) * COARSE
    return columns[None, :], rows[:, None]


def step(distance: Field, softness: float) -> Field:
    """0 where distance is well below zero, 1 well above, smooth over `softness`."""
    t = np.clip(distance * np.float32(1 / softness) + np.float32(0.5), 0, 1)
    result: Field = t * t * (3 - 2 * t)
    return result


def bump(x: Field, y: Field, at: tuple[float, float], radii: tuple[float, float], turn: float = 0.0) -> Field:
    """A round hill of height 1 with compact support: 1 at `at`, 0 beyond about 1.6 radii."""
    dx, dy = x - np.float32(at[0]), y - np.float32(at[1])
    if turn:
        cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        dx, dy = dx * cos + dy * sin, dy * cos - dx * sin
    squared = (dx * np.float32(1 / radii[0])) ** 2 + (dy * np.float32(1 / radii[1])) ** 2
    fall = np.clip(1 - squared * np.float32(0.38), 0, 1)
    result: Field = fall * fall
    return result


def clouds(rng: np.random.Generator, shape: tuple[int, int], cells: Sequence[int]) -> Field:
    """Smooth noise about 0 with standard deviation near 1; `cells` are the lattice sizes of its octaves."""
    total = np.zeros(shape, dtype=np.float32)
    weight = 0.0
    for octave, count in enumerate(cells):
        lattice = rng.standard_normal((count, count), dtype=np.float32)
        share = 0.6**octave
        total += np.float32(share) * enlarge(lattice, shape)
        weight += share**2
    return total * np.float32(1.5 / np.sqrt(weight))


def enlarge(field: Field, shape: tuple[int, int]) -> Field:
    """The field resampled smoothly to `shape`."""
    picture = Image.fromarray(np.ascontiguousarray(field))
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


class Ink:
    """One anti-aliased layer of thin things. Overlapping strokes do not add up: the later one covers."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._picture = Image.new("L", (frame.width * FINE, frame.height * FINE))
        self._draw = ImageDraw.Draw(self._picture)
        self._unit = FINE * (frame.scale[0] + frame.scale[1]) / 2

    def polygon(self, points: Points, value: float) -> None:
        """Fill the polygon of body points (n, 2) with `value` in 0 … 1."""
        self._draw.polygon(self._flat(points), fill=_byte(value))

    def line(self, points: Points, width: float, value: float) -> None:
        """A line of even width (body units) through body points (n, 2)."""
        pixels = max(1, round(width * self._unit))
        self._draw.line(
            self._flat(points), fill=_byte(value), width=pixels, joint="curve" if pixels > 3 else None
        )

    def ribbon(self, points: Points, widths: Points | float, value: float) -> None:
        """A filled band along body points (n, 2) whose width (n,) may taper."""
        self.polygon(outline(points, widths), value)

    def ribbons(self, curves: Points, widths: Points, value: float) -> None:
        """Many bands of one brightness at once: body points (m, n, 2) and widths (m, n)."""
        flat = self._frame.pixels(outline(curves, widths)) * FINE
        fill = _byte(value)
        for shape in flat.reshape(len(curves), -1).tolist():
            self._draw.polygon(shape, fill=fill)

    def disc(self, at: tuple[float, float], radius: float, value: float) -> None:
        """A filled circle of body radius `radius`."""
        x, y = self._frame.pixels(np.array([at]))[0] * FINE
        r = max(0.7, radius * self._unit)
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=_byte(value))

    @property
    def blank(self) -> bool:
        """Whether nothing has been drawn."""
        return self._picture.getbbox() is None

    def field(self) -> Field:
        """The layer at the picture's size, 0 … 1."""
        small = self._picture.reduce(FINE)
        return np.asarray(small, dtype=np.float32) * np.float32(1 / 255)

    def _flat(self, points: Points) -> list[float]:
        flat: list[float] = (self._frame.pixels(points) * FINE).ravel().tolist()
        return flat


def outline(points: Points, widths: Points | float) -> Points:
    """The closed outlines (..., 2n, 2) of bands of `widths` (..., n) along points (..., n, 2)."""
    along = np.empty_like(points)
    along[..., 1:-1, :] = points[..., 2:, :] - points[..., :-2, :]
    along[..., 0, :] = points[..., 1, :] - points[..., 0, :]
    along[..., -1, :] = points[..., -1, :] - points[..., -2, :]
    half = along[..., ::-1] * ((-0.5, 0.5) / (np.hypot(along[..., 0], along[..., 1]) + 1e-9)[..., None])
    half *= widths[..., None] if isinstance(widths, np.ndarray) else widths
    return np.concatenate([points + half, (points - half)[..., ::-1, :]], axis=-2)


def curve(knots: Sequence[tuple[float, float]], count: int = 24) -> Points:
    """A smooth curve (count, 2) through the knots (centripetal enough for anatomy: Catmull-Rom)."""
    p = np.asarray(knots, dtype=float)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, len(knots) - 1 - 1e-9, count)
    i = t.astype(int)
    f = (t - i)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    result: Points = 0.5 * (
        2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3
    )
    return result


def _byte(value: float) -> int:
    return int(min(255, max(0, round(value * 255))))
