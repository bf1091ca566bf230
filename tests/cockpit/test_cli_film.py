"""`data film`: what the model sees, as a file."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

BASE = Path(__file__).parents[2] / "engine" / "model" / "base"


def film(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "cockpit.cli", "data", "film", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "100"}
    )


def test_it_writes_the_square_and_says_what_was_done(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 4095, 60).astype(np.uint16), (90, 1))
    Image.fromarray(ramp).save(tmp_path / "film.png")
    ended = film(tmp_path / "film.png", "--to", tmp_path / "seen.png")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[:2] == [
        "60 x 90 grey",
        "values 0 to 4095 brought to 8 bits: 0 is black, 4095 is white "
        "(the darkest and brightest 0.5% of the pixels cut off)",
    ]
    with Image.open(tmp_path / "seen.png") as seen:
        assert (seen.mode, seen.size) == ("RGB", (336, 336))
        assert seen.getpixel((0, 168)) == (122, 116, 104)  # the mean colour beside the film
        assert seen.getpixel((275, 168))[0] > 240
    assert stat.S_IMODE((tmp_path / "seen.png").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.png", "seen.png"]
    with_base = film(tmp_path / "film.png", "--to", tmp_path / "small.png", "--base", BASE)
    assert with_base.returncode == 0 and "RGB of 160 square" in with_base.stdout


def test_an_empty_film_is_named_and_what_cannot_be_is_one_line(tmp_path: Path) -> None:
    Image.new("L", (60, 60), 7).save(tmp_path / "flat.png")
    ended = film(tmp_path / "flat.png", "--to", tmp_path / "seen.png")
    assert (ended.returncode, ended.stderr) == (
        1,
        f"cxr-cockpit: {tmp_path}/flat.png: is empty: every pixel is 7\n",
    )
    for arguments, told in (
        ((tmp_path / "none.png", "--to", tmp_path / "seen.png"), "no such image"),
        ((tmp_path / "flat.png", "--to", tmp_path / "seen.jpg"), "end in .png"),
        ((tmp_path / "flat.png", "--to", tmp_path / "flat.png"), "is the film itself"),
        ((tmp_path / "flat.png", "--to", tmp_path / "seen.png", "--base", tmp_path), "no model here"),
    ):
        ended = film(*arguments)
        assert ended.returncode == 2 and told in ended.stderr and ended.stderr.count("\n") == 1
