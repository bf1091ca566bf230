"""What a run keeps of its plan, to be held against what it then measures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.config import RunConfig
from engine.planning.memory import on_device
from engine.planning.plan import make_plan
from engine.planning.workload import Length, Lengths
from engine.training.batches import Encoded


def planned_stages(
    config: RunConfig, runs: Path, stages: Sequence[str], encoded: dict[str, list[Encoded]], before: int
) -> dict[str, dict[str, float]]:
    """By stage: `planned_bytes` of the process on a CPU, else of the device, and `planned_samples_per_second`.

    before: bytes the process had before anything was loaded.
    """
    plan = make_plan(config, runs, stages, compare=False, lengths=lengths_of(encoded))
    planned = on_device(plan.peak, plan.device) + (before if plan.device == "cpu" else 0)
    told: dict[str, dict[str, float]] = {}
    for work in plan.workload.stages:
        told[work.name] = {"planned_bytes": planned}
        if time := plan.times.get(work.name):
            told[work.name]["planned_samples_per_second"] = work.samples / time.training
    return told


def told_before(stage: Mapping[str, Any]) -> dict[str, float]:
    """The same of one stage, from the route that an earlier attempt has left; empty where it has none."""
    return {name: stage[name] for name in ("planned_bytes", "planned_samples_per_second") if name in stage}


def lengths_of(encoded: dict[str, list[Encoded]]) -> Lengths:
    """Encoded samples by split, as a plan wants them."""
    lengths: Lengths = {}
    for split, own in encoded.items():
        for one in own:
            lengths.setdefault((one.sample.stage, split), []).append(Length(len(one.ids), one.supervised))
    return lengths
