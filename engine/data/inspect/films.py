"""Films that no model should learn from: nearly black or even ones, and inverted ones."""

from pathlib import Path

from engine.data.images import open_image
from engine.errors import UserError

_SIDE = 64
_DARK, _EVEN = 8.0, 4.0
_CORNER = 6
_BRIGHT_AROUND, _DARKER_WITHIN = 170.0, 50.0


def film_finding(root: Path, image: str) -> str | None:
    """The kind of what is wrong with the film; None if nothing is.

    Inverted: the upper corners, where a film has only air, are bright, and the chest between them is darker.
    """
    import numpy as np

    try:
        film = open_image(root, image).convert("L").resize((_SIDE, _SIDE))
    except UserError:
        return "image-missing"
    pixels = np.asarray(film, dtype=np.float64)
    if np.percentile(pixels, 99) < _DARK or pixels.std() < _EVEN:
        return "image-black"
    corners = np.concatenate([pixels[:_CORNER, :_CORNER].ravel(), pixels[:_CORNER, -_CORNER:].ravel()])
    middle = pixels[_SIDE // 3 :, _SIDE // 3 : 2 * _SIDE // 3]
    inverted = corners.mean() > _BRIGHT_AROUND and middle.mean() < corners.mean() - _DARKER_WITHIN
    return "image-inverted" if inverted else None
