"""The device a run computes on: CPU, MPS or CUDA, and everything in which they differ.

Each knows its memory counters, how to wait for it, its random state, whether AdamW has a fused kernel there, how large
a tensor may be, and what has to be done for a night on it.
"""

import os
import platform
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import torch

from engine.errors import UserError

#: Optimizer steps between two times that a device hands unused memory back.
EMPTY_CACHE_EVERY = 50


class Device(ABC):
    """One device. `place` is where tensors go; a property of the kind alone stands on the class."""

    kind: ClassVar[str]
    title: ClassVar[str]
    fused_optimizer: ClassVar[bool] = True
    """Whether AdamW has a fused kernel."""
    largest_tensor: ClassVar[int | None] = None
    """Elements that a tensor may have; None where memory is the only limit."""
    fixed_shapes: ClassVar[bool] = False
    """Whether every new shape costs memory for good, so that few may occur."""

    def __init__(self, place: torch.device) -> None:
        self.place = place

    @abstractmethod
    def chip(self) -> str:
        """What it is called where it was bought."""

    @abstractmethod
    def memory(self) -> dict[str, float]:
        """Bytes by scalar tag: live tensors, all that the driver holds, and the limit. Empty where there is none."""

    @abstractmethod
    def synchronize(self) -> None:
        """Wait until all that was asked of it is done."""

    @abstractmethod
    def random_state(self) -> torch.Tensor:
        """State of its random generator."""

    @abstractmethod
    def set_random_state(self, state: torch.Tensor) -> None:
        """Put a state back that `random_state` gave."""

    @abstractmethod
    def prepare(self) -> None:
        """Once, before a model is loaded: what makes float32 mean float32."""

    @abstractmethod
    def empty_cache(self) -> None:
        """Hand memory back that no tensor uses."""

    def after_step(self, step: int) -> None:
        """After each optimizer step: buffers of shapes long gone are handed back now and then."""
        if self.fixed_shapes and step % EMPTY_CACHE_EVERY == 0:
            self.empty_cache()

    def refuse_too_large(self, tensors: Mapping[str, int]) -> None:
        """Raise `UserError` naming the tensor, of those given with their elements, that the device cannot hold."""
        for name, elements in tensors.items():
            if self.largest_tensor is not None and elements > self.largest_tensor:
                raise UserError(
                    f"{name}: {elements:,} elements, and {self.title} computes wrong or aborts beyond "
                    f"{self.largest_tensor:,}; set a smaller batch_size (and a larger accumulation)"
                )


class Cpu(Device):
    kind, title = "cpu", "CPU"

    def chip(self) -> str:
        return _cpu_name()

    def memory(self) -> dict[str, float]:
        return {}

    def synchronize(self) -> None:
        pass  # what was asked of it is done when the call returns

    def random_state(self) -> torch.Tensor:
        return torch.get_rng_state()

    def set_random_state(self, state: torch.Tensor) -> None:
        torch.set_rng_state(state)

    def prepare(self) -> None:
        pass  # float32 is float32

    def empty_cache(self) -> None:
        pass  # the system's allocator keeps none


class Cuda(Device):
    kind, title = "cuda", "CUDA"

    def chip(self) -> str:
        return torch.cuda.get_device_name(self.place)

    def memory(self) -> dict[str, float]:
        _, total = torch.cuda.mem_get_info(self.place)
        return {
            "memory/device": float(torch.cuda.memory_allocated(self.place)),
            "memory/device_reserved": float(torch.cuda.memory_reserved(self.place)),
            "memory/device_limit": float(total),
        }

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.place)

    def random_state(self) -> torch.Tensor:
        return torch.cuda.get_rng_state(self.place)

    def set_random_state(self, state: torch.Tensor) -> None:
        torch.cuda.set_rng_state(state, self.place)

    def prepare(self) -> None:
        # convolutions would otherwise round float32 to ten bits of mantissa; matrix products do not by default
        torch.backends.cudnn.allow_tf32 = False

    def empty_cache(self) -> None:
        torch.cuda.empty_cache()


class Mps(Device):
    """Apple's GPUs, through torch.mps. Its graph cache and its buffers grow with every shape it has not seen, its
    tensors end at 2³² elements, and it has no float64."""

    kind, title = "mps", "MPS"
    largest_tensor = 2**32
    fixed_shapes = True

    def chip(self) -> str:
        # torch.backends.mps has had a name since 2.13
        name = getattr(torch.backends.mps, "get_name", None)
        return str(name()) if name else _cpu_name()

    def memory(self) -> dict[str, float]:
        return {
            "memory/device": float(torch.mps.current_allocated_memory()),
            "memory/device_reserved": float(torch.mps.driver_allocated_memory()),
            "memory/device_limit": float(torch.mps.recommended_max_memory()),
        }

    def synchronize(self) -> None:
        torch.mps.synchronize()

    def random_state(self) -> torch.Tensor:
        return torch.mps.get_rng_state()

    def set_random_state(self, state: torch.Tensor) -> None:
        torch.mps.set_rng_state(state)

    def prepare(self) -> None:
        pass  # float32 is float32

    def empty_cache(self) -> None:
        torch.mps.empty_cache()


_KINDS: dict[str, type[Device]] = {one.kind: one for one in (Cpu, Mps, Cuda)}


def choose_device(wanted: str) -> torch.device:
    """`auto` takes CUDA, else MPS, else the CPU. Raises `UserError` where the wanted device is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, present in there.items() if present))
    if not there[wanted]:
        raise UserError(
            f"model.device is {wanted!r}, but torch {torch.__version__} sees no such device; set it to auto"
        )
    return torch.device(wanted)


def device_of(place: torch.device) -> Device:
    """The device that tensors at `place` are on."""
    return _KINDS[place.type](place)


def describe(place: torch.device) -> dict[str, str | int]:
    """What the run directory keeps about the machine an attempt ran on."""
    return {
        "device": place.type,
        "chip": device_of(place).chip(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count() or 0,
        "home": str(Path.cwd()),
    }


def _cpu_name() -> str:
    """The processor's name, as the system tells it; its architecture where it does not."""
    try:
        if platform.system() == "Darwin":
            command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(
                command, capture_output=True, text=True, timeout=5, check=True
            ).stdout.strip()
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        return next(names, "") or platform.machine()
    except (OSError, subprocess.SubprocessError):
        return platform.machine()
