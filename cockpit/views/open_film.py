"""Handing a film to the desktop, where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from engine.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".ppm", ".pgm", ".jp2", ".j2k")


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
