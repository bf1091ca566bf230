"""How fast the device is: measured by `check --device`, measured here for a CPU, or from a table of chips."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.planning.trace import Operator
from engine.runs.device_rates import read_device_rates
from engine.training.device.device import device_of

PRECISIONS = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
#: Share of a chip's peak that matrix products reach: llama.cpp reads prompts at 20.7 of the M3 Ultra's 28.4 TFLOPS.
REACHED = 0.73
#: Seconds that PyTorch needs to send off one operator, whatever its size.
DISPATCH = {"cpu": 3e-6, "mps": 1e-5, "cuda": 8e-6}
#: Elements of the copy that memory is timed with: more than a cache holds.
COPIED = {"cpu": 2**23, "mps": 2**26, "cuda": 2**26}


@dataclass(frozen=True)
class Chip:
    """Peak operations a second in fp32 and in bf16, and bytes a second to memory."""

    fp32: float
    bf16: float
    bandwidth: float


#: The Mac that the project is for; what a plan for MPS is reckoned with elsewhere.
THE_MAC = "Apple M3 Ultra"

CHIPS = {
    # 80 cores; no matrix units before M5, so bf16 runs at the rate of fp32
    # (huggingface.co/hardware/apple-m3-ultra, apple.com/mac-studio/specs)
    THE_MAC: Chip(28.4e12, 28.4e12, 819e9),
    "NVIDIA A100": Chip(19.5e12, 312e12, 2039e9),  # NVIDIA A100 80GB data sheet
    "NVIDIA H100": Chip(66.9e12, 989e12, 3350e9),  # NVIDIA H100 SXM data sheet
    "NVIDIA H200": Chip(66.9e12, 989e12, 4800e9),  # NVIDIA H200 SXM data sheet
}


@dataclass(frozen=True)
class Speed:
    """flops: operations a second of a matrix product by precision. bandwidth: bytes a second. source: where from."""

    device: str
    flops: dict[str, float]
    bandwidth: float
    source: str

    def seconds(self, operators: Mapping[Operator, int]) -> float:
        """How long they take, each as often as is told.

        An operator takes as long as its arithmetic, its traffic or its dispatch, whichever is longest.
        """
        floor, slowest = DISPATCH[self.device], min(self.flops.values())
        return sum(
            count
            * max(
                one.flops / self.flops.get(PRECISIONS.get(one.dtype, ""), slowest),
                one.moved / self.bandwidth,
                floor,
            )
            for one, count in operators.items()
        )


def read_speed(device: str, here: bool, runs: Path) -> Speed | None:
    """The speed of `device`; None where it was not measured and its chip is not known.

    here: whether this machine has it, so that what `check --device` left in `runs` must be about its chip.
    """
    place = torch.device(device)
    chip = device_of(place).chip() if here else THE_MAC if device == "mps" else None
    record = read_device_rates(runs)
    if record and (record.device != device or (here and record.chip != chip)):
        record = None
    measured = {name: rate for name, rate in record.matmul_flops.items() if rate} if record else {}
    name = chip or (record.chip if record else "")
    known = next((figures for title, figures in CHIPS.items() if name.startswith(title)), None)
    if measured:
        rates, source = measured, "measured by `check --device`"
    elif device == "cpu":
        left, right = torch.randn(2, 768, 768).unbind()
        rates, source = {"fp32": 2 * 768**3 / _quickest(lambda: left @ right)}, "measured now, on this CPU"
    elif known:
        rates = {"fp32": known.fp32 * REACHED, "bf16": known.bf16 * REACHED, "fp16": known.bf16 * REACHED}
        source = f"{REACHED:.0%} of the peak of an {name}"
    else:
        return None
    bandwidth = _bandwidth(place) if here else known.bandwidth if known else None
    return Speed(device, rates, bandwidth, source) if bandwidth else None


def _bandwidth(place: torch.device) -> float:
    """Bytes a second read and written by a copy."""
    block, device = torch.zeros(COPIED[place.type], device=place), device_of(place)

    def copy() -> None:
        block.clone()
        device.synchronize()

    return 2 * block.nbytes / _quickest(copy)


def _quickest(work: Callable[[], object]) -> float:
    """Seconds of the quickest of a few goes."""
    best = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best
