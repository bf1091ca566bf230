import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.data import images
from engine.data.images import blank_like, open_image
from engine.errors import UserError

RAMP = np.arange(48, dtype=np.uint8).reshape(6, 8)


def save(path: Path, image: Image.Image, **options: Any) -> str:
    image.save(path, **options)
    return path.name


def test_grey_stays_grey(tmp_path: Path) -> None:
    image = open_image(tmp_path, save(tmp_path / "a.png", Image.fromarray(RAMP)))
    assert image.mode == "L"
    assert (np.asarray(image) == RAMP).all()


@pytest.mark.parametrize(
    ("mode", "suffix", "expected"),
    [
        ("RGB", "png", "RGB"),
        ("RGBA", "png", "RGB"),
        ("P", "png", "RGB"),
        ("CMYK", "jpg", "RGB"),
        ("LA", "png", "L"),
        ("1", "png", "L"),
    ],
)
def test_every_mode_becomes_grey_or_colour(tmp_path: Path, mode: str, suffix: str, expected: str) -> None:
    source = Image.new("L", (8, 6), 255).convert(mode)
    image = open_image(tmp_path, save(tmp_path / f"a.{suffix}", source))
    assert image.mode == expected
    assert image.size == (8, 6)
    assert np.asarray(image).min() >= 253


def test_sixteen_bits_are_stretched_to_eight(tmp_path: Path) -> None:
    values = np.array([[100, 2148], [4196, 100]], dtype=np.uint16)
    image = open_image(tmp_path, save(tmp_path / "a.png", Image.fromarray(values)))
    assert image.mode == "L"
    assert np.asarray(image).tolist() == [[0, 128], [255, 0]]
    flat = open_image(
        tmp_path, save(tmp_path / "b.png", Image.fromarray(np.full((2, 2), 900, dtype=np.uint16)))
    )
    assert np.asarray(flat).max() == 0


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    name = save(tmp_path / "a.png", Image.fromarray(RAMP), exif=exif)
    assert (np.asarray(open_image(tmp_path, name)) == np.rot90(RAMP, -1)).all()


def test_truncated_file_is_refused_by_name(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(buffer, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    with pytest.raises(UserError, match=r"cut\.jpg: cannot decode the image: .*truncated"):
        open_image(tmp_path, "cut.jpg")


@pytest.mark.parametrize("content", [b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UserError, match="not an image in a known format"):
        open_image(tmp_path, "a.jpg")


def test_missing_file_and_directory(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such image"):
        open_image(tmp_path, "none.jpg")
    (tmp_path / "dir").mkdir()
    with pytest.raises(UserError, match="is a directory, not a plain file"):
        open_image(tmp_path, "dir")


def test_nothing_outside_the_root_is_opened(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    save(tmp_path / "secret.png", Image.fromarray(RAMP))
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "loop.png").symlink_to(root / "loop.png")
    for relative, reason in [
        ("link.png", "outside the image root"),
        ("../secret.png", "leaves the image root"),
        (str(tmp_path / "secret.png"), "is absolute"),
        ("loop.png", "symbolic link|follow"),
    ]:
        with pytest.raises(UserError, match=reason):
            open_image(root, relative)
    (root / "inside.png").symlink_to(save(root / "real.png", Image.fromarray(RAMP)))
    assert open_image(root, "inside.png").size == (8, 6)


def test_too_many_pixels_are_refused_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = save(tmp_path / "a.png", Image.fromarray(RAMP))
    monkeypatch.setattr(images, "MAX_PIXELS", 47)
    with pytest.raises(UserError, match="8 x 6 pixels"):
        open_image(tmp_path, name)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(UserError, match="more than the 47"):
        open_image(tmp_path, name)


def test_blank_like() -> None:
    blank = blank_like(Image.new("RGB", (3, 2), "white"))
    assert (blank.mode, blank.size) == ("RGB", (3, 2))
    assert not np.asarray(blank).any()
