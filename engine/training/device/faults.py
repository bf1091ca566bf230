"""What is known beforehand about a device: releases that compute wrongly on it, and tensors too large for it."""

import os
import platform
from collections.abc import Iterable, Sequence

import torch

from engine.config import RunConfig
from engine.setup_check.rules.knowledge import World, described, knowledge
from engine.training.batches import Encoded
from engine.training.device.device import Device


def known_faults(device: Device) -> list[str]:
    """A line for each entry of the setup check's knowledge that this torch has on this Mac's GPU."""
    if device.kind != "mps":
        return []
    world = World(
        versions={"torch": torch.__version__.split("+")[0]},
        python=platform.python_version(),
        system="Darwin",
        machine=platform.machine(),
        macos=platform.mac_ver()[0],
        env=dict(os.environ),
    )
    applying = [
        described(entry, world)
        for entry in knowledge().applying(world)
        if entry.group == "machine" and entry.status != "info" and "torch" in entry.when.packages
    ]
    return [f"{finding.title}: {finding.why}" for finding in applying]


def largest_tensors(
    config: RunConfig, heads: int, vocabulary: int, encoded: Iterable[Sequence[Encoded]]
) -> dict[str, int]:
    """Elements of the largest tensors of a run, by name. `encoded` are the samples of a stage each."""
    sizes: dict[str, int] = {}
    for samples in encoded:
        if not samples:
            continue
        stage = samples[0].sample.stage
        together = max(config.stage(stage).batch_size, config.evaluation.batch_size)
        multiple = config.data.length_multiple
        length = -(-max(len(one.ids) for one in samples) // multiple) * multiple
        answer = max(one.supervised for one in samples)
        sizes[f"attention of {stage}, {together} samples"] = together * heads * length**2
        sizes[f"logits of {stage}, {together} samples"] = together * answer * vocabulary
    return sizes
