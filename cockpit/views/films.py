"""The films of a run: where they lie, as small grey pictures, and handed to the desktop, where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from cockpit.toolkit.graphics.film import Thumbnail
from cockpit.toolkit.graphics.half_cells import LONG_SIDE
from engine.errors import UserError
from engine.runs.layout import RunPaths

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".ppm", ".pgm", ".jp2", ".j2k")


def image_root_of(paths: RunPaths) -> Path:
    """data.image_root of the run's frozen configuration. UserError if it cannot be told."""
    from engine.files.yaml_file import read_yaml

    try:
        return Path(read_yaml(paths.config)["data"]["image_root"])
    except (OSError, UserError, KeyError, TypeError) as error:
        raise UserError(f"{paths.config}: cannot tell where the images are ({error})") from None


def thumbnail(root: Path, relative: str, long_side: int = LONG_SIDE) -> Thumbnail:
    """The image in grey, its longer side at most `long_side` pixels. UserError if it cannot be shown."""
    from PIL import Image  # takes its time: not before the first film

    from engine.data.images import open_image

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


def open_film(root: Path, name: str) -> str:
    """Open it with the desktop's program; returns a sentence that says so, or where it lies.

    The name comes from a curriculum, and the desktop opens anything by its program, a page or a starter too: UserError
    for what does not decode as a picture within `root`, or is not called one.
    """
    path = root / name
    command = desktop_command(os.environ, sys.platform)
    if command is None:
        return str(path)
    from engine.data.images import open_image

    open_image(root, name)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: is not called as pictures are ({', '.join(SUFFIXES)}); it is not opened")
    child = subprocess.Popen(
        [command, str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    threading.Thread(target=child.wait, daemon=True).start()  # or it would stay behind as a zombie
    return f"opening {path}"


def desktop_command(environment: Mapping[str, str], platform: str) -> str | None:
    """The program that opens files; None over SSH and without a desktop."""
    if "SSH_CONNECTION" in environment:
        return None
    if platform == "darwin":
        return "open"
    return "xdg-open" if "DISPLAY" in environment or "WAYLAND_DISPLAY" in environment else None
