"""Image files: opened within their root, decoded completely, brought to 8 bits grey or colour."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from engine.data.curriculum import image_path_problem
from engine.data.tiff import PHOTOMETRIC, WHITE_IS_ZERO, as_black_is_zero
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


# EXIF's tag that says how the camera was held.
_ORIENTATION = 274

#: Colours of 16 bits lose the lower 8 in Pillow; where the upper ones hold no more than this, nothing would be left.
_DIM = 63

#: Share of the pixels of more than 8 bits that is cut off as too dark and too bright, each.
BRIGHTNESS_CUT = 0.005

#: A film with more than this share of its pixels in one step of grey shows nothing.
_EMPTY_SHARE = 0.999


@dataclass(frozen=True, slots=True)
class Film:
    """image: upright, mode "L" or "RGB". changes: what was done to the file's pixels to come there, in order."""

    image: Image.Image
    changes: tuple[str, ...] = ()


def open_image(root: Path, relative: str) -> Image.Image:
    """The image `root / relative`, upright and fully decoded, mode "L" or "RGB".

    Grey and colour of 8 bits stay as the file has them. Grey of more bits goes through `brightness.to_eight_bits`,
    because detectors fill 12, 14 or 16 of 16 bits and the file does not say which; where a TIFF says that zero is
    white, it is turned. Transparent pixels lie on black. Raises UserError if the file is missing, unreadable,
    truncated, animated, too large or outside `root` (symbolic links followed).
    """
    return read_film(root, relative).image


def read_film(root: Path, relative: str) -> Film:
    """`open_image`, with what was done to the pixels. Raises UserError as it does."""
    path = _inside(root, relative)
    try:
        with open_plain(path, "rb") as file, _opened(file) as (image, negative):
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
            deep = ";16" in str(image.tile)  # before `load` forgets it
            image.load()
            _refuse_lost_depth(image, deep)
            return _eight_bits(image, negative)
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


def emptiness(image: Image.Image) -> str | None:
    """Why the film shows nothing: (nearly) all its pixels are of one grey; None if it shows something."""
    counts = image.convert("L").histogram()
    grey = max(range(256), key=counts.__getitem__)
    total = sum(counts)
    if counts[grey] == total:
        return f"is empty: every pixel is {grey}"
    near = sum(counts[max(0, grey - 1) : grey + 2])
    if near > _EMPTY_SHARE * total:
        return f"is nearly empty: {near / total:.2%} of its pixels are {grey}"
    return None


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[tuple[ImageFile.ImageFile, bool]]:
    """The image, not yet decoded, and whether it will come out as a negative."""
    try:
        image = Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError:
        positive = as_black_is_zero(file)
        if positive is None:
            raise
        with Image.open(positive, formats=("TIFF",)) as image:
            yield image, True
        return
    with image:
        # Of more than 8 bits Pillow leaves turning them to us.
        deep = image.mode == "F" or image.mode.startswith("I")
        yield image, deep and _says_white_is_zero(image)


def _eight_bits(raw: Image.Image, negative: bool) -> Film:
    changes: list[str] = []
    turned = raw.getexif().get(_ORIENTATION, 1) in range(2, 9)
    image = ImageOps.exif_transpose(raw)
    if turned:
        changes.append("turned upright")
    if image.mode == "F" or image.mode.startswith("I"):
        image, change = _stretched(image, negative)
        changes.append(change)
    elif image.mode in ("L", "RGB"):
        # A copy, because Pillow's lazily opened class keeps the closed file with it.
        image = image.copy()
        if _says_white_is_zero(raw):
            changes.append("turned from white is zero")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info:
        if negative:
            grey, alpha = image.convert("LA").split()
            image = Image.merge("LA", (ImageOps.invert(grey), alpha))
            changes.append("turned from white is zero")
        image = _on_black(image, "L" if image.mode in ("LA", "La") else "RGB", changes)
    else:
        image = image.convert("RGB")
    return Film(image, tuple(changes))


def _says_white_is_zero(image: Image.Image) -> bool:
    """Whether a TIFF says that zero is white. No other format can; its makers have turned the values themselves."""
    tags = getattr(image, "tag_v2", None)
    return image.format == "TIFF" and tags is not None and tags.get(PHOTOMETRIC) == WHITE_IS_ZERO


def _on_black(image: Image.Image, mode: str, changes: list[str]) -> Image.Image:
    """The image where it is opaque, black where it is not: what lies under transparent pixels is arbitrary."""
    colours = image.convert("RGBA")
    if colours.getchannel("A").getextrema() != (255, 255):
        changes.append("transparent pixels put on black")
    return Image.alpha_composite(Image.new("RGBA", colours.size, (0, 0, 0, 255)), colours).convert(mode)


def _refuse_lost_depth(image: Image.Image, deep: bool) -> None:
    """Raises ValueError where colours of 16 bits have only their lower ones filled: Pillow has dropped those."""
    if not deep or image.mode not in ("RGB", "RGBA", "RGBX", "RGBa"):
        return
    grey = image.convert("RGB").convert("L").histogram()
    if sum(grey[_DIM + 1 :]) <= BRIGHTNESS_CUT * sum(grey):  # a hot pixel is no light
        raise ValueError(
            "16 bits a colour of which only the lower ones are filled; save it as grey of 16 bits"
        )


def _stretched(image: Image.Image, white_is_zero: bool) -> tuple[Image.Image, str]:
    import numpy as np

    from engine.data.brightness import to_eight_bits

    values = np.asarray(image)
    if not np.isfinite(values).all():
        raise ValueError("holds values that are not finite")
    pixels, black, white = to_eight_bits(values, BRIGHTNESS_CUT, white_is_zero)
    turned = ", turned from white is zero" if white_is_zero else ""
    change = (
        f"values {float(values.min()):g} to {float(values.max()):g} brought to 8 bits: {black:g} is black, "
        f"{white:g} is white (the darkest and brightest {BRIGHTNESS_CUT:.1%} of the pixels cut off){turned}"
    )
    return Image.fromarray(pixels), change
