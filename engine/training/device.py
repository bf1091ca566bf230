"""The device a run computes on, and the memory it shows on the gauges."""

import os
from pathlib import Path

import psutil
import torch

from engine.errors import UserError


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


def fused_optimizer(device: torch.device) -> bool:
    """Whether AdamW has a fused kernel on `device`."""
    return device.type in ("cpu", "cuda", "mps")


def memory(device: torch.device) -> dict[str, float]:
    """Bytes by scalar tag; a tag that the device cannot answer for is left out."""
    system = psutil.virtual_memory()
    used = {
        "memory/process": float(psutil.Process().memory_info().rss),
        "memory/system_used": float(system.total - system.available),
        "memory/system_total": float(system.total),
    }
    if device.type == "cuda":
        _, total = torch.cuda.mem_get_info(device)
        used["memory/device"] = float(torch.cuda.memory_allocated(device))
        used["memory/device_reserved"] = float(torch.cuda.memory_reserved(device))
        used["memory/device_limit"] = float(total)
    elif device.type == "mps":
        used["memory/device"] = float(torch.mps.current_allocated_memory())
        used["memory/device_reserved"] = float(torch.mps.driver_allocated_memory())
        used["memory/device_limit"] = float(torch.mps.recommended_max_memory())
    return used


def describe(device: torch.device) -> dict[str, str | int]:
    """What the run directory keeps about the machine an attempt ran on."""
    return {
        "device": device.type,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count() or 0,
        "home": str(Path.cwd()),
    }
