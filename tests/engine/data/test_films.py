"""One film in every container: the same picture comes out, and what shows nothing is named."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from engine.data.images import BRIGHTNESS_CUT, emptiness, open_image, read_film
from engine.errors import UserError

HEIGHT, WIDTH = 48, 64
#: Dark on the left, 0…255.
RAMP = np.tile(np.linspace(0, 255, WIDTH).round(), (HEIGHT, 1)).astype(np.uint8)
#: The same in 12 bits.
DEEP = np.tile(np.linspace(0, 4095, WIDTH).round(), (HEIGHT, 1)).astype(np.uint16)
RGB = np.stack([RAMP] * 3, axis=-1)


def pixels(path: Path) -> npt.NDArray[np.uint8]:
    return np.asarray(open_image(path.parent, path.name))


def tiff(path: Path, values: npt.NDArray[np.generic], photometric: int, **options: object) -> Path:
    tags = ImageFileDirectory_v2()
    tags[262] = photometric
    Image.fromarray(values).save(path, tiffinfo=tags, **options)
    with Image.open(path) as saved:
        assert saved.tag_v2[262] == photometric
    return path


def big_endian(path: Path, values: npt.NDArray[np.uint16], photometric: int) -> Path:
    """A TIFF as some cameras write it; Pillow writes none of these."""
    data = values.astype(">u2").tobytes()
    height, width = values.shape
    entries = [
        (256, 4, width), (257, 4, height), (258, 3, 16), (259, 3, 1), (262, 3, photometric),
        (273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, len(data)),
    ]  # fmt: skip
    directory = len(entries).to_bytes(2, "big")
    for tag, kind, value in entries:
        packed = value.to_bytes(2, "big") + b"\0\0" if kind == 3 else value.to_bytes(4, "big")
        directory += tag.to_bytes(2, "big") + kind.to_bytes(2, "big") + (1).to_bytes(4, "big") + packed
    path.write_bytes(b"MM\0*" + (8 + len(data)).to_bytes(4, "big") + data + directory + bytes(4))
    return path


@pytest.mark.parametrize("scale", ["x 1", "x 16", "+ 1000", "of 14 bits", "of 16 bits", "of 10 bits"])
@pytest.mark.parametrize("container", ["png", "tif", "big-endian", "int32", "float", "pgm", "jp2"])
def test_the_bits_that_are_filled_do_not_matter(tmp_path: Path, container: str, scale: str) -> None:
    word, _, number = scale.partition(" ")
    values = {
        "x": lambda: DEEP * np.uint16(number),
        "+": lambda: DEEP + np.uint16(number),
        "of": lambda: (
            (DEEP.astype(np.float64) / 4095 * (2 ** int(number.split()[0]) - 1)).round().astype(np.uint16)
        ),
    }[word]()
    path = tmp_path / "film.tif"
    if container == "big-endian":
        big_endian(path, values, 1)
    elif container == "jp2":
        path = tmp_path / "film.jp2"
        Image.fromarray(values).save(path, irreversible=False)
    else:
        kinds = {"int32": np.int32, "float": np.float32}
        path = tmp_path / f"film.{container if container in ('png', 'pgm') else 'tif'}"
        Image.fromarray(values.astype(kinds.get(container, np.uint16))).save(path)
    assert np.abs(pixels(path).astype(int) - RAMP).max() <= 1


def test_signed_values(tmp_path: Path) -> None:
    path = tmp_path / "film.tif"
    Image.fromarray(DEEP.astype(np.int32) - 1024).save(path)
    assert np.abs(pixels(path).astype(int) - RAMP).max() <= 1


@pytest.mark.parametrize("kind", ["u1", "u2", "big-endian", "bilevel", "lzw", "deflate", "int32", "float"])
def test_white_is_zero_in_every_depth(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "film.tif"
    if kind == "u1":
        tiff(path, 255 - RAMP, 0)
        # Pillow itself turns what it writes as it turns what it reads.
        assert (pixels(path) == np.asarray(Image.open(path))).all()
        return
    if kind == "bilevel":
        values = RAMP > 127
        tiff(path, values, 0)
        assert (pixels(path) == np.asarray(Image.open(path).convert("L"))).all()
        return
    turned = (65535 - RAMP.astype(np.uint16) * 257).astype(np.uint16)
    if kind == "big-endian":
        big_endian(path, turned, 0)
    elif kind in ("int32", "float"):
        Image.fromarray(turned.astype(np.int32 if kind == "int32" else np.float32)).save(path)
        content = bytearray(path.read_bytes())
        place = content.index((262).to_bytes(2, "little") + b"\3\0\1\0\0\0")
        content[place + 8] = 0
        path.write_bytes(content)
    else:
        compression = {"lzw": "tiff_lzw", "deflate": "tiff_adobe_deflate"}.get(kind)
        tiff(path, turned, 0, **({"compression": compression} if compression else {}))
    film = read_film(tmp_path, path.name)
    assert (np.asarray(film.image) == RAMP).all()
    assert "turned from white is zero" in film.changes[0]


def test_eight_bits_that_say_white_is_zero_are_turned_once(tmp_path: Path) -> None:
    data = (255 - RAMP).tobytes()
    path = tmp_path / "film.tif"
    entries = [
        (256, WIDTH),
        (257, HEIGHT),
        (258, 8),
        (259, 1),
        (262, 0),
        (273, 8),
        (277, 1),
        (278, HEIGHT),
        (279, len(data)),
    ]
    directory = len(entries).to_bytes(2, "little")
    for tag, value in entries:
        directory += (
            tag.to_bytes(2, "little") + b"\4\0" + (1).to_bytes(4, "little") + value.to_bytes(4, "little")
        )
    path.write_bytes(b"II*\0" + (8 + len(data)).to_bytes(4, "little") + data + directory + bytes(4))
    film = read_film(tmp_path, path.name)
    assert (np.asarray(film.image) == RAMP).all()
    assert film.changes == ("turned from white is zero",)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("hot", [1, 15])
def test_a_few_hot_or_dead_pixels_do_not_rule(tmp_path: Path, suffix: str, hot: int) -> None:
    values = DEEP + np.uint16(500)
    values.flat[:: values.size // hot][:hot] = 65535
    values.flat[5 :: values.size // hot][:hot] = 0
    assert hot <= BRIGHTNESS_CUT * values.size
    path = tmp_path / f"film.{suffix}"
    Image.fromarray(values).save(path)
    assert np.median(np.abs(pixels(path).astype(int) - RAMP)) <= 1


def test_a_picture_of_few_pixels_on_one_ground_is_kept(tmp_path: Path) -> None:
    values = np.full((100, 100), 300, dtype=np.uint16)
    values[:2, :10] = 1300
    Image.fromarray(values).save(tmp_path / "film.png")
    found = pixels(tmp_path / "film.png")
    assert (found[:2, :10] == 255).all() and found[5:].max() == 0


@pytest.mark.parametrize(
    ("name", "image", "options"),
    [
        ("grey.jpg", Image.fromarray(RAMP), {"quality": 95}),
        ("colour.jpg", Image.fromarray(RGB), {"quality": 95}),
        ("progressive.jpg", Image.fromarray(RAMP), {"quality": 95, "progressive": True}),
        ("optimised.jpg", Image.fromarray(RAMP // 3 + 90), {"optimize": True}),
        ("grey.png", Image.fromarray(RAMP // 7), {}),
        ("grey.bmp", Image.fromarray(RAMP), {}),
        ("grey.webp", Image.fromarray(RGB), {"lossless": True}),
    ],
)
def test_eight_bits_stay_as_pillow_decodes_them_to_the_bit(
    tmp_path: Path, name: str, image: Image.Image, options: dict[str, object]
) -> None:
    image.save(tmp_path / name, **options)
    with Image.open(tmp_path / name) as decoded:
        expected = np.asarray(decoded)
        mode = decoded.mode
    film = read_film(tmp_path, name)
    assert film.image.mode == mode and film.changes == ()
    assert np.array_equal(np.asarray(film.image), expected)


@pytest.mark.parametrize("orientation", [2, 3, 4, 5, 6, 7, 8])
def test_exif_turns_every_way_and_depth(tmp_path: Path, orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[274] = orientation
    for name, values in (("a.png", RAMP), ("b.png", DEEP)):
        Image.fromarray(values).save(tmp_path / name, exif=exif)
        with Image.open(tmp_path / name) as plain:
            plain.load()
            expected = ImageOps.exif_transpose(plain).size
        film = read_film(tmp_path, name)
        assert film.image.size == expected == ((HEIGHT, WIDTH) if orientation > 4 else (WIDTH, HEIGHT))
        assert film.changes[0] == "turned upright"


def test_transparent_pixels_lie_on_black(tmp_path: Path) -> None:
    alpha = np.full_like(RAMP, 255)
    alpha[:10] = 0
    expected = RAMP.copy()
    expected[:10] = 0
    grey = Image.merge("LA", (Image.fromarray(RAMP), Image.fromarray(alpha)))
    colour = grey.convert("RGBA")
    palette = Image.fromarray(RAMP).convert("P")
    palette.info["transparency"] = 200
    for name, image in (("la.png", grey), ("rgba.png", colour)):
        image.save(tmp_path / name)
        film = read_film(tmp_path, name)
        assert (np.asarray(film.image.convert("L")) == expected).all()
        assert film.changes == ("transparent pixels put on black",)
    palette.save(tmp_path / "p.png", transparency=200)
    film = read_film(tmp_path, "p.png")
    found = np.asarray(film.image.convert("L"))
    assert (found[RAMP == 200] == 0).all() and (found[RAMP != 200] == RAMP[RAMP != 200]).all()


def test_a_grey_palette_is_its_greys_not_its_numbers(tmp_path: Path) -> None:
    image = Image.fromarray(255 - RAMP)
    image = image.convert("P")
    image.putpalette([255 - n // 3 for n in range(768)])
    image.save(tmp_path / "p.png")
    assert (pixels(tmp_path / "p.png")[..., 0] == RAMP).all()


def write_png(path: Path, values: npt.NDArray[np.uint16], kind: int) -> Path:
    """A PNG of 16 bits a channel, which Pillow reads and does not write."""
    import struct
    import zlib

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize(("kind", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_colours_of_which_pillow_would_drop_all_that_is_there(
    tmp_path: Path, kind: int, channels: int
) -> None:
    full = np.stack([RAMP.astype(np.uint16) * 257] * channels, axis=-1)
    if channels in (2, 4):
        full[..., -1] = 65535
    assert np.abs(pixels(write_png(tmp_path / "full.png", full, kind))[..., 0].astype(int) - RAMP).max() <= 1
    dim = np.stack([DEEP] * channels, axis=-1)
    dim[0, 0] = 65535
    if channels in (2, 4):
        dim[..., -1] = 65535
    with pytest.raises(
        UserError, match=r"dim\.png: .*only the lower ones are filled; save it as grey of 16 bits"
    ):
        pixels(write_png(tmp_path / "dim.png", dim, kind))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros_like(RAMP), "is empty: every pixel is 0"),
        (np.full_like(RAMP, 255), "is empty: every pixel is 255"),
        (np.full_like(DEEP, 900), "is empty: every pixel is 0"),
        (
            np.where(np.arange(RAMP.size).reshape(RAMP.shape) == 0, 200, 3).astype(np.uint8),
            "is nearly empty: 99.97%",
        ),
        (RAMP, None),
        (RAMP // 8, None),
    ],
)
def test_what_shows_nothing_is_named(
    tmp_path: Path, values: npt.NDArray[np.generic], said: str | None
) -> None:
    Image.fromarray(values).save(tmp_path / "film.png")
    found = emptiness(open_image(tmp_path, "film.png"))
    assert found is None if said is None else found is not None and found.startswith(said)


def test_a_film_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    values = RAMP.astype(np.float32)
    values[3, 3] = np.nan
    Image.fromarray(values).save(tmp_path / "film.tif")
    with pytest.raises(UserError, match="not finite"):
        open_image(tmp_path, "film.tif")
