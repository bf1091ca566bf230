"""Handing a file to the desktop, where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path


def open_file(path: Path) -> str:
    """Open it with the desktop's program; returns a sentence that says so, or where it lies."""
    command = desktop_command(os.environ, sys.platform)
    if command is None or not path.is_file():
        return str(path)
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
