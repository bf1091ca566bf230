"""How fast this machine's device multiplies matrices, kept beside the runs: what a plan reckons its hours from."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.json_file import read_json

FILE = ".device.json"


@dataclass(frozen=True)
class DeviceRates:
    """What `check --device` measured. matmul_flops: floating-point operations a second by precision (`fp32`, `bf16`,
    `fp16`), None where the device has no such product. measured_at: ISO 8601, UTC."""

    device: str
    chip: str
    measured_at: str
    matmul_flops: dict[str, float | None]


def write_device_rates(runs: Path, rates: DeviceRates) -> Path:
    """Keep `rates` in the directory of runs, which is made if it is not there; only the owner may read them."""
    runs.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, partial = runs / FILE, runs / f"{FILE}.partial"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(asdict(rates)) + "\n")
    partial.replace(path)
    return path


def read_device_rates(runs: Path) -> DeviceRates | None:
    """What was measured last; None if nothing was, or if the file is not what this wrote."""
    try:
        return DeviceRates(**read_json(runs / FILE))
    except (OSError, ValueError, TypeError):
        return None
