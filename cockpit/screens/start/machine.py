"""This machine in one line."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from engine.files.free_space import free_space
from engine.words.sizes import GIB, on_disk


def machine_line(directory: Path) -> str:
    """Cores, memory, free disk under `directory` and the Python that runs."""
    import psutil

    memory = psutil.virtual_memory()
    free = free_space(directory)
    parts = (
        f"{os.cpu_count()} cores",
        f"{memory.total / GIB:.1f} GiB memory, {memory.available / GIB:.1f} free",
        f"{on_disk(free)} disk free",
        f"Python {platform.python_version()}",
    )
    return "   ".join(parts)
