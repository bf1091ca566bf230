"""How fast this machine's device multiplies matrices, kept beside the runs: what a plan reckons its hours from."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.files.json_file import read_json
from engine.files.temporary import write_private

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
    path = runs / FILE
    write_private(path, [json.dumps(asdict(rates)) + "\n"])
    return path


def read_device_rates(runs: Path) -> DeviceRates | None:
    """What was measured last; None if nothing was, or if the file is not what this wrote."""
    try:
        return DeviceRates(**read_json(runs / FILE))
    except (OSError, ValueError, TypeError):
        return None
