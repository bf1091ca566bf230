"""Image files as small grey pictures; imported with the first one, since Pillow takes its time."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from cockpit.screens.flight.state import Thumbnail
from cockpit.toolkit.graphics.half_cells import LONG_SIDE
from engine.data.images import open_image
from engine.errors import UserError


def thumbnail(root: Path, relative: str, long_side: int = LONG_SIDE) -> Thumbnail:
    """The image in grey, its longer side at most `long_side` pixels. UserError if it cannot be shown."""
    image = open_image(root, relative)
    image.thumbnail((long_side, long_side), Image.Resampling.BOX)
    grey = image.convert("L")
    return Thumbnail(grey.width, grey.height, grey.tobytes())


def film_or_reason(root: Path, relative: str, long_side: int) -> Thumbnail | str:
    """The picture, or why there is none."""
    try:
        return thumbnail(root, relative, long_side)
    except UserError as error:
        return str(error)
