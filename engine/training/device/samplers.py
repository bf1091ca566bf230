"""Memory and load as the gauges show them, each figure from a sampler of its own.

A sampler that fails costs its own figures and nothing else: they are NaN, and its gauge shows a dash. What takes a
process or a driver call to learn is asked for in a thread, so that no step waits for it.
"""

import json
import logging
import math
import platform
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from engine.training.device.device import Device

log = logging.getLogger(__name__)

#: Between two looks of the thread.
SECONDS = 2.0
#: For a command that a sampler runs.
COMMAND_SECONDS = 3.0

NAN = math.nan
_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin:/usr/local/bin"
_BUSY = re.compile(r'"Device Utilization %"\s*=\s*(\d+)')
_PRESSURE_LEVELS = {1: 0.0, 2: 0.5, 4: 1.0}
"""Of macOS: normal, warning, critical."""


class Unknown(Exception):
    """A sampler had an answer, and the figure was not in it."""


@dataclass(frozen=True)
class Sampler:
    """`read` gives figures for some of `tags`; those it leaves out are unknown on this machine."""

    tags: tuple[str, ...]
    read: Callable[[], Mapping[str, float]]


class Gauges:
    """All figures of one moment, by scalar tag. Use it as a context: the thread lives inside the `with`."""

    def __init__(self, device: Device, seconds: float = SECONDS) -> None:
        self._at_once, self._in_thread = quick_samplers(device), slow_samplers(device)
        self._seconds = seconds
        self._told: set[tuple[str, ...]] = set()
        self._latest: dict[str, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="gauges", daemon=True)

    def __enter__(self) -> "Gauges":
        if self._in_thread:
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()

    def read(self) -> dict[str, float]:
        """What is known now; NaN where a sampler failed."""
        figures: dict[str, float] = {}
        for sampler in self._at_once:
            figures |= self._asked(sampler)
        return figures | self._latest

    def in_use(self) -> int | None:
        """Bytes that this run holds: on its device if that has memory of its own, else in its process."""
        figures = self.read()
        used = figures.get("memory/device", figures["memory/process"])
        return int(used) if math.isfinite(used) else None

    def _look(self) -> None:
        while not self._ended.is_set():
            figures: dict[str, float] = {}
            for sampler in self._in_thread:
                figures |= self._asked(sampler)
            self._latest = figures
            self._ended.wait(self._seconds)

    def _asked(self, sampler: Sampler) -> dict[str, float]:
        try:
            return dict(sampler.read())
        except (
            Exception
        ) as error:  # a figure for the eye must not end a night's work, whatever a driver raises
            if sampler.tags not in self._told:
                self._told.add(sampler.tags)
                log.warning(
                    "%s: not known here (%s: %s)", ", ".join(sampler.tags), type(error).__name__, error
                )
            return dict.fromkeys(sampler.tags, NAN)


def quick_samplers(device: Device) -> list[Sampler]:
    """Those that answer within a step's noise."""
    samplers = [
        Sampler(("memory/process",), process_memory),
        Sampler(("memory/system_used", "memory/system_total"), system_memory),
    ]
    if device.kind != "cpu":
        tags = ("memory/device", "memory/device_reserved", "memory/device_limit")
        samplers.append(Sampler(tags, device.memory))
    return samplers


def slow_samplers(device: Device) -> list[Sampler]:
    """Those that start a process or ask a driver."""
    samplers = [Sampler(("memory/swap_used",), swap)]
    if platform.system() == "Darwin":
        samplers.append(Sampler(("memory/pressure", "memory/wired_limit"), mac_memory))
    elif platform.system() == "Linux":
        samplers.append(Sampler(("memory/pressure",), linux_pressure))
    if device.kind == "mps":
        samplers.append(Sampler(("gpu/utilization",), mac_gpu))
    elif device.kind == "cuda":
        samplers.append(Sampler(("gpu/utilization",), nvidia_gpu(device.place)))
    return samplers


def process_memory() -> dict[str, float]:
    return {"memory/process": float(psutil.Process().memory_info().rss)}


def system_memory() -> dict[str, float]:
    system = psutil.virtual_memory()
    return {
        "memory/system_used": float(system.total - system.available),
        "memory/system_total": float(system.total),
    }


def swap() -> dict[str, float]:
    return {"memory/swap_used": float(psutil.swap_memory().used)}


def mac_memory() -> dict[str, float]:
    """Pressure as macOS judges it, and the GPU's wired limit where somebody has set one."""
    return mac_memory_of(_said("sysctl", "kern.memorystatus_vm_pressure_level", "iogpu.wired_limit_mb"))


def mac_memory_of(text: str) -> dict[str, float]:
    """From `sysctl`'s lines `name: value`. A limit of 0 is the system's own policy, and no figure."""
    values = dict(re.findall(r"^(\S+): (\d+)$", text, re.MULTILINE))
    try:
        level = int(values["kern.memorystatus_vm_pressure_level"])
        figures = {"memory/pressure": _PRESSURE_LEVELS[level]}
    except KeyError:
        raise Unknown(f"sysctl said {text.strip()[:80]!r}") from None
    limit = int(values.get("iogpu.wired_limit_mb", 0))
    return figures | ({"memory/wired_limit": limit * 2.0**20} if limit else {})


def linux_pressure() -> dict[str, float]:
    """Share of the last ten seconds in which somebody waited for memory. Kernels without the file have no figure."""
    try:
        text = Path("/proc/pressure/memory").read_text(encoding="ascii")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {"memory/pressure": linux_pressure_of(text)}


def linux_pressure_of(text: str) -> float:
    found = re.search(r"^some avg10=([\d.]+)", text, re.MULTILINE)
    if found is None:
        raise Unknown(f"/proc/pressure/memory holds {text[:80]!r}")
    return float(found[1]) / 100


def mac_gpu() -> dict[str, float]:
    """How busy Apple's GPU is, as the registry of its driver says; macmon where that says nothing."""
    try:
        busy = ioreg_busy(_said("ioreg", "-r", "-d", "1", "-w", "0", "-c", "IOAccelerator"))
    except (Unknown, OSError, subprocess.SubprocessError):
        if shutil.which("macmon", path=_SYSTEM_PATH) is None:
            raise
        busy = macmon_busy(_said("macmon", "pipe", "-s", "1", "-i", "200"))
    return {"gpu/utilization": busy}


def ioreg_busy(text: str) -> float:
    """0…1, of the busiest accelerator in `ioreg`'s answer. Keys stand in any order, all on one line."""
    found = [int(one) for one in _BUSY.findall(text)]
    if not found:
        raise Unknown("ioreg names no Device Utilization")
    return min(1.0, max(found) / 100)


def macmon_busy(text: str) -> float:
    """0…1, from a line of `macmon pipe`: `gpu_active_ratio`, or the second of `gpu_usage` before version 0.7."""
    try:
        answer: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
        busy = answer["gpu_active_ratio"] if "gpu_active_ratio" in answer else answer["gpu_usage"][1]
        return min(1.0, max(0.0, float(busy)))
    except (ValueError, LookupError, TypeError) as error:
        raise Unknown(f"macmon names no GPU usage ({error})") from None


def nvidia_gpu(place: torch.device) -> Callable[[], dict[str, float]]:
    """A sampler through NVML, if its Python binding is installed."""
    handle: list[Any] = []

    def read() -> dict[str, float]:
        import pynvml

        if not handle:
            pynvml.nvmlInit()
            # by its own name: CUDA_VISIBLE_DEVICES counts devices otherwise than NVML
            name = f"GPU-{torch.cuda.get_device_properties(place).uuid}"
            handle.append(pynvml.nvmlDeviceGetHandleByUUID(name))
        return {"gpu/utilization": pynvml.nvmlDeviceGetUtilizationRates(handle[0]).gpu / 100}

    return read


def _said(*command: str) -> str:
    """What a system command prints. Raises where it is not there, or has no answer in time."""
    path = shutil.which(command[0], path=_SYSTEM_PATH)
    if path is None:
        raise FileNotFoundError(f"{command[0]} is not there")
    ended = subprocess.run(
        [path, *command[1:]],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=COMMAND_SECONDS,
        check=False,  # sysctl fails for one unknown name, and still tells the others
    )
    return ended.stdout
