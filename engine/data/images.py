"""Image files: opened within their root, decoded completely, brought to 8 bits grey or colour."""

import struct
import zlib
from pathlib import Path
from typing import IO

from PIL import Image, ImageOps, UnidentifiedImageError

from engine.data.curriculum import image_path_problem
from engine.errors import UserError
from engine.files.plain_file import NotPlain, open_plain

#: More than any radiograph has (a 43 cm plate at 0.1 mm is 18 million), less than what exhausts a laptop.
MAX_PIXELS = 80_000_000

#: A side longer than this is no radiograph, and its square (films are padded to one) would fill the memory.
MAX_SIDE = 16_384

#: A progressive JPEG has ten or so; a hundred bytes are one more, and make the decoder walk through all pixels again.
MAX_SCANS = 100

# Pillow can open much more; what it hands to other programs or never carries a radiograph stays closed.
_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "PPM", "JPEG2000")
_DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    struct.error,
    zlib.error,
)


def open_image(root: Path, relative: str) -> Image.Image:
    """The image `root / relative`, upright and fully decoded, mode "L" or "RGB".

    Grey images of more than 8 bits are stretched from their darkest to their brightest value, because
    detectors fill 12, 14 or 16 of 16 bits and the file does not say which. Raises UserError if the file is
    missing, unreadable, truncated, animated, too large or outside `root` (symbolic links followed).
    """
    path = _inside(root, relative)
    try:
        with open_plain(path, "rb") as file, Image.open(file, formats=_FORMATS) as image:
            width, height = image.size
            if not width * height:
                raise UserError(f"{path}: {width} x {height} pixels is not a picture")
            if width * height > MAX_PIXELS:
                raise UserError(f"{path}: {width} x {height} pixels is more than the {MAX_PIXELS} allowed")
            if max(width, height) > MAX_SIDE:
                raise UserError(f"{path}: {width} x {height} pixels: no side may have more than {MAX_SIDE}")
            frames = getattr(image, "n_frames", 1)
            if frames != 1:
                raise UserError(
                    f"{path}: holds {frames} pictures; a film is one, say which by saving it alone"
                )
            if image.format == "JPEG" and (scans := _scans(file)) > MAX_SCANS:
                raise UserError(
                    f"{path}: a JPEG of {scans:,} scans takes for ever; no camera makes more than a few"
                )
            image.load()
            return _eight_bits(ImageOps.exif_transpose(image))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such image; is data.image_root right?") from error
    except NotPlain as error:
        raise UserError(f"{path}: {error.strerror}; a film is an image file") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{path}: is not an image in a known format ({', '.join(_FORMATS)})") from error
    except Image.DecompressionBombError as error:
        raise UserError(f"{path}: has more than the {MAX_PIXELS} pixels allowed") from error
    except _DECODE_ERRORS as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(f"{path}: cannot decode the image: {reason}") from error


def blank_like(image: Image.Image) -> Image.Image:
    """An all-zero image of the same size and mode."""
    return Image.new(image.mode, image.size)


def outside(root: Path, relative: str) -> str | None:
    """Why a film must not be read: a symbolic link leads out of the root. None if it stays within.

    A curriculum may come from a stranger; where the films are linked on purpose, the root is where they lie.
    """
    path = root / relative
    try:
        resolved = path.resolve()
        if resolved.is_relative_to(root.resolve()):
            return None
    except (OSError, RuntimeError) as error:
        return f"path cannot be followed: {error}"
    ends = Path(relative).parts
    if resolved.parts[-len(ends) :] == ends:
        there = f"give {Path(*resolved.parts[: -len(ends)])} as the image root"
    else:
        there = f"copy it there, or make a directory that holds {resolved.parent} the image root"
    return f"leads outside the image root through a symbolic link; {there}"


def _inside(root: Path, relative: str) -> Path:
    if problem := image_path_problem(relative):
        raise UserError(f"image path {relative!r} {problem}")
    path = root / relative
    if (problem := outside(root, relative)) is not None:
        raise UserError(f"{path}: {problem}")
    return path


def _scans(file: IO[bytes]) -> int:
    """How many scans a JPEG has: their marker stands nowhere in the compressed data."""
    place = file.tell()
    file.seek(0)
    count = file.read().count(b"\xff\xda")
    file.seek(place)
    return count


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode in ("L", "RGB"):
        # A copy, because Pillow's lazily opened class keeps the closed file with it.
        return image.copy()
    if image.mode == "F" or image.mode.startswith("I"):
        return _stretched(image)
    return image.convert("L" if image.mode in ("1", "LA", "La") else "RGB")


def _stretched(image: Image.Image) -> Image.Image:
    import numpy as np

    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("holds values that are not finite")
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) * (255.0 / (high - low)) if high > low else np.zeros_like(values)
    return Image.fromarray(np.rint(scaled).astype(np.uint8))
