"""Image files as thumbnails; imported with the first picture, since Pillow takes its time."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from cockpit.screens.flight_state import Thumbnail
from cockpit.widgets.xray import LONG_SIDE
from engine.data.images import open_image


def thumbnail(root: Path, relative: str) -> Thumbnail:
    """The image in grey, its longer side at most LONG_SIDE pixels. UserError if it cannot be shown."""
    image = open_image(root, relative)
    image.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.BOX)
    grey = image.convert("L")
    return Thumbnail(grey.width, grey.height, grey.tobytes())
