"""A film as every way of drawing it takes it: its greys, and how they are looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A radiograph in grey, one byte a pixel, small enough to keep."""

    width: int
    height: int
    pixels: bytes


@dataclass(frozen=True, slots=True)
class FilmView:
    """How a film is looked at: `zoom` times magnified around (x, y) in 0…1, greys `level` ± `window` / 2 spread."""

    zoom: float = 1.0
    x: float = 0.5
    y: float = 0.5
    window: int = 256
    level: int = 128
    inverted: bool = False

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what is seen of a picture, in its pixels."""
        across, down = width / self.zoom, height / self.zoom
        left = min(max(self.x * width - across / 2, 0.0), width - across)
        top = min(max(self.y * height - down / 2, 0.0), height - down)
        return left, top, left + across, top + down

    def greys(self) -> bytes:
        """A table from stored to shown greys."""
        low = self.level - self.window / 2
        shown = [round(255 * min(1.0, max(0.0, (grey - low) / self.window))) for grey in range(256)]
        return bytes(255 - grey for grey in shown) if self.inverted else bytes(shown)


PLAIN_VIEW = FilmView()
