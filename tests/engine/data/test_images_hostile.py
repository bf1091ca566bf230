"""Whatever an image file holds, it becomes 8 bits grey or colour, or is refused by name."""

import io
import random
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.data.images import MAX_PIXELS, MAX_SIDE, open_image
from engine.errors import UserError

FILM = np.random.default_rng(0).integers(0, 255, (40, 30), dtype=np.uint8)


def bytes_of(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def said(path: Path, content: bytes) -> str:
    """What is told of it; empty if it is read."""
    path.write_bytes(content)
    try:
        image = open_image(path.parent, path.name)
    except UserError as error:
        assert str(path) in str(error) and len(str(error)) < 600
        return str(error)
    assert image.mode in ("L", "RGB") and min(image.size) > 0 and np.asarray(image).dtype == np.uint8
    return ""


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header says so and whose data are a few bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("width", "height", "told"),
    [
        (60_000, 60_000, "more than the"),
        (2_000_000_000, 2_000_000_000, "more than the"),
        (10_000, 9_000, f"is more than the {MAX_PIXELS} allowed"),
        (MAX_SIDE + 1, 10, "no side may have more than"),
        (0, 10, ""),
        (10, 0, ""),
    ],
)
def test_what_a_header_claims_is_not_believed_into_memory(
    tmp_path: Path, width: int, height: int, told: str
) -> None:
    complaint = said(tmp_path / "bomb.png", png_claiming(width, height))
    assert complaint and told in complaint


def test_zero_pixels_are_no_picture(tmp_path: Path) -> None:
    empty = (
        b"BM"
        + struct.pack("<IHHI", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 0, 5, 1, 24, 0, 0, 0, 0, 0, 0)
    )
    assert said(tmp_path / "empty.bmp", empty)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_several_pictures_in_a_file_are_no_film(tmp_path: Path, format: str) -> None:
    first, second = Image.fromarray(FILM).convert("RGB"), Image.fromarray(255 - FILM).convert("RGB")
    content = bytes_of(first, format, save_all=True, append_images=[second])
    assert "holds 2 pictures" in said(tmp_path / "a.img", content)
    assert said(tmp_path / "a.img", bytes_of(first, format)) == ""


def test_colour_depth_and_direction(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    for content in (
        bytes_of(Image.fromarray(FILM).convert("CMYK"), "JPEG"),
        bytes_of(Image.fromarray(FILM.astype(np.uint16) * 257), "PNG"),
        bytes_of(Image.fromarray(FILM.astype(np.uint16) * 257), "TIFF"),
        bytes_of(Image.fromarray(FILM.astype(np.float32)), "TIFF"),
        bytes_of(Image.fromarray(FILM).convert("P"), "GIF"),
        bytes_of(Image.fromarray(FILM).convert("RGBA"), "WEBP"),
    ):
        assert said(tmp_path / "a.img", content) == ""
    assert said(tmp_path / "turned.jpg", bytes_of(Image.fromarray(FILM), "JPEG", exif=exif)) == ""
    assert open_image(tmp_path, "turned.jpg").size == (40, 30)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "PPM", "JPEG2000"])
@pytest.mark.filterwarnings("ignore")  # Pillow tells of broken metadata
def test_any_damage_to_the_bytes(tmp_path: Path, format: str) -> None:
    try:
        whole = bytes_of(Image.fromarray(FILM), format)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow writes no {format}")
    chance = random.Random(format)
    for _ in range(120):
        damaged = bytearray(whole)
        reach = len(damaged) if chance.random() < 0.5 else min(80, len(damaged))  # headers break most
        for _ in range(chance.randint(1, 5)):
            place = chance.randrange(reach)
            damaged[place : place + chance.randint(0, 4)] = chance.choice(
                [b"", b"\x00\x00", b"\xff\xff\xff\xff", chance.randbytes(2), chance.randbytes(4)]
            )
        if chance.random() < 0.3:
            del damaged[chance.randrange(1, len(damaged) + 1) :]
        said(tmp_path / "a.img", bytes(damaged))


def test_a_jpeg_of_endless_scans_is_refused_at_once(tmp_path: Path) -> None:
    """A hundred bytes more are another walk through all pixels: a megabyte of them would take minutes."""
    buffer = io.BytesIO()
    Image.new("L", (4000, 4000)).save(buffer, "JPEG", progressive=True)
    whole = buffer.getvalue()
    scan = whole[whole.rfind(b"\xff\xda") : -2]
    (tmp_path / "whole.jpg").write_bytes(whole)
    (tmp_path / "endless.jpg").write_bytes(whole[:-2] + 2_000 * scan + whole[-2:])
    assert open_image(tmp_path, "whole.jpg").size == (4000, 4000)
    begun = time.process_time()
    with pytest.raises(UserError, match=r"a JPEG of 2,0.. scans"):
        open_image(tmp_path, "endless.jpg")
    assert time.process_time() - begun < 2
