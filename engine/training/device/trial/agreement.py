"""How far a device's tensors lie from their reference, each by name."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

Reference = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """One tensor. `error` is the root mean square of its difference from the reference, as a share of the reference's
    own; infinite where it is not finite or not of the same shape."""

    name: str
    error: float
    allowed: float

    @property
    def well(self) -> bool:
        return self.error <= self.allowed

    def __str__(self) -> str:
        far = f"{self.error:.1e}" if math.isfinite(self.error) else "not finite"
        return f"{self.name} {far}"


def relative_error(found: Reference, reference: Reference) -> float:
    """Root mean square of the difference over that of the reference. A reference of zeros is compared absolutely."""
    if found.shape != reference.shape or not np.isfinite(found).all():
        return math.inf
    size = float(np.sqrt(np.mean(reference**2))) if reference.size else 0.0
    off = float(np.sqrt(np.mean((found - reference) ** 2))) if reference.size else 0.0
    return off / size if size else off


def as_reference(tensor: torch.Tensor) -> Reference:
    """Float64 on the CPU. MPS has no float64, so the way leads over the CPU first."""
    array: Reference = tensor.detach().cpu().double().numpy()
    return array


def compare(
    found: Mapping[str, torch.Tensor], reference: Mapping[str, torch.Tensor], allowed: float
) -> list[Agreement]:
    """Every tensor of the reference, in its order."""
    return [
        Agreement(
            name,
            relative_error(as_reference(found[name]), as_reference(wanted)) if name in found else math.inf,
            allowed,
        )
        for name, wanted in reference.items()
    ]


def worst(agreements: Sequence[Agreement]) -> Agreement:
    return max(agreements, key=lambda one: one.error / one.allowed)


def ulps_apart(one: torch.Tensor, other: torch.Tensor) -> int:
    """The most float32 numbers that lie between two elements at the same place."""

    def ordered(tensor: torch.Tensor) -> torch.Tensor:
        bits = tensor.detach().cpu().float().contiguous().view(torch.int32).long()
        return torch.where(bits < 0, -(bits & 0x7FFFFFFF), bits)  # bit patterns in the order of the numbers

    return int((ordered(one) - ordered(other)).abs().max()) if one.numel() else 0
