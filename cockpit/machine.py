"""This machine in one line."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from engine.sizes import GIB, on_disk


def machine_line(directory: Path) -> str:
    """Cores, memory, free disk under `directory` and the Python that runs."""
    import psutil

    memory = psutil.virtual_memory()
    free = shutil.disk_usage(_existing(directory)).free
    parts = (
        f"{os.cpu_count()} cores",
        f"{memory.total / GIB:.1f} GiB memory, {memory.available / GIB:.1f} free",
        f"{on_disk(free)} disk free",
        f"Python {platform.python_version()}",
    )
    return "   ".join(parts)


def _existing(directory: Path) -> Path:
    """The nearest directory upwards that is there."""
    directory = directory.absolute()
    while not directory.exists():
        directory = directory.parent
    return directory
