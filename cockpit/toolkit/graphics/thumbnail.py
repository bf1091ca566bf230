"""A radiograph as every way of drawing it takes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A radiograph in grey, one byte a pixel, small enough to keep."""

    width: int
    height: int
    pixels: bytes
