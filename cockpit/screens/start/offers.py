"""What the start screen offers, and this machine in one line."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.files.free_space import free_space
from engine.runs.layout import RunPaths
from engine.words.sizes import GIB, on_disk

Launch = Callable[[], RunPaths]


@dataclass(frozen=True, slots=True)
class Offers:
    """What the start screen can do, and its line about this machine."""

    start_demo: Launch
    start_config: Callable[[Path], RunPaths]
    machine: Callable[[], str]


def offers_on(runs: Path) -> Offers:
    """What is offered where the runs lie in `runs`; what is behind it is loaded when it is asked for."""

    def demo() -> RunPaths:
        from cockpit.launch.start import start_demo

        return start_demo(runs)

    def config(path: Path) -> RunPaths:
        from cockpit.launch.start import start_config

        return start_config(path, runs)

    return Offers(demo, config, lambda: machine_line(runs))


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
