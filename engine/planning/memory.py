"""Memory by part in each phase of a run, from traces of the model without its weights."""

from dataclasses import dataclass

import torch

from engine.config import RunConfig
from engine.planning.miniature import Resident
from engine.planning.skeleton import Shapes
from engine.planning.step import Shape, Traced
from engine.planning.workload import Workload
from engine.training.device.heap import gives_back

#: Bytes that come beside tensors once work begins: code loaded on use, threads, the run's database (measured on Linux).
RUNTIME = {"cpu": 60_000_000, "mps": 500_000_000, "cuda": 500_000_000}
#: What the allocator holds beyond what is asked of it, as a share of what comes and goes within a step.
SLACK = {"cpu": 0.02, "mps": 0.1, "cuda": 0.06}
#: The same where glibc keeps what was freed (see `engine.training.device.heap`); it varies from run to run.
HEAP_SLACK = 0.6


@dataclass(frozen=True)
class Memory:
    """Bytes by part at the fullest moment of one phase."""

    phase: str
    parts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.parts.values())


@dataclass(frozen=True)
class Beside:
    """What takes memory beside the model."""

    config: RunConfig
    shapes: Shapes
    device: str
    workload: Workload

    def parts(self, samples: int, moving: float) -> dict[str, int]:
        """Pictures decoded ahead of need for micro-batches of `samples`, the allocator's slack, the runtime."""
        picture = 3 * self.shapes.image_size**2 * 4
        window = max(stage.most for stage in self.workload.stages)
        ahead = (2 * self.config.data.workers + window) * samples
        return {
            "image cache": ahead * picture + self.config.data.workers * self.workload.film_bytes,
            "samples": self.workload.held_bytes,
            "allocator slack": round(self._slack() * moving),
            "runtime": RUNTIME[self.device],
        }

    def _slack(self) -> float:
        if self.device == "cpu" and self.shapes.fetched and not gives_back(self.config.base_directory):
            return HEAP_SLACK
        return SLACK[self.device]


def training_memory(beside: Beside, held: Resident, step: Traced, shape: Shape, scale: float = 1.0) -> Memory:
    """The fullest moment of a step among the first, while the audit holds a copy of the adapter.

    scale: samples of a micro-batch of `shape` over those of the traced one.
    """
    parts = {
        "weights": held.weights,
        "adapter": 2 * held.adapter,
        "gradients": step.parts.get("gradients", 0),
        "optimizer": 2 * held.adapter,
        "activations": round(scale * step.parts.get("activations", 0)),
        "logits": round(scale * step.parts.get("logits", 0)),
    }
    return Memory("training", parts | beside.parts(shape.samples, scale * step.peak))


def evaluation_memory(phase: str, beside: Beside, held: Resident, traced: Traced, shape: Shape) -> Memory:
    """A phase without gradients; the optimizer stays where it is."""
    parts = {
        "weights": held.weights,
        "adapter": held.adapter,
        "optimizer": 2 * held.adapter,
        "activations": traced.parts.get("activations", 0),
        "logits": traced.parts.get("logits", 0),
    }
    return Memory(phase, parts | beside.parts(shape.samples, traced.peak))


def loading_memory(held: Resident, shapes: Shapes, precision: torch.dtype, device: str) -> Memory:
    """While the last weights are converted from the file they are mapped from."""
    mapped = 0 if shapes.stored == precision else max(shapes.shard, held.largest * shapes.stored.itemsize)
    parts = {"weights": held.weights, "adapter": held.adapter, "mapped file": mapped}
    return Memory("loading", parts | {"runtime": RUNTIME[device]})


def on_device(full: Memory, device: str) -> int:
    """What of it a measurement on the device sees: with a CPU all, else not what lies in the process beside it."""
    elsewhere = () if device == "cpu" else ("image cache", "samples", "runtime")
    return sum(count for part, count in full.parts.items() if part not in elsewhere)
