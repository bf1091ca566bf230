"""How many floating-point operations a second a device does in a matrix product."""

import statistics
import time
from datetime import UTC, datetime

import torch

from engine.runs.device_rates import DeviceRates
from engine.training.device.device import Device

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SMALLEST, LARGEST = 128, 8192
LONG_ENOUGH = 0.1
"""Seconds of one product from which starting it no longer counts."""
SECONDS = 1.0
"""For the products that count, of one precision."""


def measure_rates(device: Device, seconds: float = SECONDS) -> DeviceRates:
    """Square products, as large as they take a tenth of a second. About `seconds` and a half for each precision."""
    return DeviceRates(
        device.kind,
        device.chip(),
        datetime.now(UTC).isoformat(timespec="seconds"),
        {name: matmul_flops(device, precision, seconds) for name, precision in PRECISIONS.items()},
    )


def matmul_flops(device: Device, precision: torch.dtype, seconds: float) -> float | None:
    """Operations a second of one precision, the median of its products; None where the device refuses it."""
    size = SMALLEST
    try:
        product = _Product(device, precision, size)
        while product.seconds() < LONG_ENOUGH and size < LARGEST:
            size *= 2
            product = _Product(device, precision, size)
        taken: list[float] = []
        while not taken or sum(taken) < seconds:
            taken.append(product.seconds())
    except (RuntimeError, TypeError):
        return None
    return 2.0 * size**3 / statistics.median(taken)


class _Product:
    """A square product of random numbers: of constant ones a GPU makes less heat, and more speed than it has."""

    def __init__(self, device: Device, precision: torch.dtype, size: int) -> None:
        self._device = device
        self._factors = [torch.rand(size, size, device=device.place).to(precision) for _ in range(2)]
        self.seconds()  # the first one of a shape pays for its kernel

    def seconds(self) -> float:
        self._device.synchronize()
        begun = time.perf_counter()
        self._factors[0] @ self._factors[1]
        self._device.synchronize()
        return time.perf_counter() - begun
