"""`plan`: what a run will take in memory and time, before anything is loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from engine.config import RunConfig
from engine.errors import UserError
from engine.planning import memory
from engine.planning.hours import SecondsOf, StageTime, quadratic, stage_time
from engine.planning.memory import Memory
from engine.planning.miniature import Miniatures, Resident, miniatures
from engine.planning.recipes import Recipe, divisions
from engine.planning.skeleton import Shapes, read_shapes
from engine.planning.speed import Speed, read_speed
from engine.planning.step import Shape, Traced
from engine.planning.trace import Operator
from engine.planning.workload import Lengths, Workload, lengths_of, read_workload, workload_of
from engine.stages import STAGE_NAMES
from engine.training.batches import Encoded
from engine.training.device.device import choose_device, device_of
from engine.training.loaded import PRECISIONS


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What was found.

    phases: the fullest first. limit: bytes the device offers; None where it is not here. times is empty and
    micro_batch_seconds None where the speed is unknown.
    """

    config: RunConfig
    shapes: Shapes
    device: str
    here: bool
    speed: Speed | None
    workload: Workload
    trainable: int
    phases: tuple[Memory, ...]
    limit: int | None
    times: dict[str, StageTime]
    micro_batch_seconds: SecondsOf | None
    recipes: tuple[Recipe, ...]

    @property
    def peak(self) -> Memory:
        return self.phases[0]

    @property
    def fits(self) -> bool | None:
        return None if self.limit is None else self.peak.total <= self.limit


def make_plan(
    config: RunConfig,
    runs: Path,
    stages: Sequence[str] = STAGE_NAMES,
    *,
    limit: int | None = None,
    compare: bool = True,
    lengths: Lengths | None = None,
) -> Plan:
    """Plan `config` on its device.

    limit: bytes the device offers, for one that is not here. compare: with other recipes too. lengths: those of the
    samples where they are known already. Raises `UserError` where shapes or samples cannot be read.
    """
    device, here = planned_device(config.model.device)
    shapes = read_shapes(config.base_directory)
    workload = workload_of(config, lengths, stages) if lengths else read_workload(config, shapes, stages)
    speed = read_speed(device, here, runs)
    limit = limit or (memory_limit(device) if here else None)
    draft = _Draft.of(config, shapes, workload, device, speed)
    micro_batch, times = draft.times()
    return Plan(
        config=config,
        shapes=shapes,
        device=device,
        here=here,
        speed=speed,
        workload=workload,
        trainable=draft.held.adapter // 4,
        phases=draft.phases(),
        limit=limit,
        times=times,
        micro_batch_seconds=micro_batch,
        recipes=tuple(draft.recipes(limit)) if compare else (),
    )


def planned_stages(
    config: RunConfig, runs: Path, stages: Sequence[str], encoded: dict[str, list[Encoded]], before: int
) -> dict[str, dict[str, float]]:
    """What a run keeps of its plan by stage, to be held against what it then measures.

    `planned_bytes` are the process's on a CPU, else the device's; beside them `planned_samples_per_second`.
    before: bytes the process had before anything was loaded.
    """
    plan = make_plan(config, runs, stages, compare=False, lengths=lengths_of(encoded))
    planned = memory.on_device(plan.peak, plan.device) + (before if plan.device == "cpu" else 0)
    told: dict[str, dict[str, float]] = {}
    for work in plan.workload.stages:
        told[work.name] = {"planned_bytes": planned}
        if time := plan.times.get(work.name):
            told[work.name]["planned_samples_per_second"] = work.samples / time.training
    return told


def planned_device(wanted: str) -> tuple[str, bool]:
    """The device the run would take, and whether this machine has it."""
    try:
        return choose_device(wanted).type, True
    except UserError:
        return wanted, False


def memory_limit(device: str) -> int:
    """Bytes that the device offers at most."""
    of_device = device_of(torch.device(device)).memory()
    return int(of_device.get("memory/device_limit", psutil.virtual_memory().total))


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """What the parts of a plan share. step, validation, reading, writing: traced at their longest shapes."""

    config: RunConfig
    shapes: Shapes
    workload: Workload
    device: str
    speed: Speed | None
    models: Miniatures
    held: Resident
    step: Traced
    validation: Traced
    reading: Traced
    writing: Traced

    @classmethod
    def of(
        cls, config: RunConfig, shapes: Shapes, workload: Workload, device: str, speed: Speed | None
    ) -> "_Draft":
        section = config.model
        models = _models(config, shapes, device, section.precision, section.activation_checkpointing)
        reading, writing = models.answer(workload.longest_answered)
        return cls(
            config=config,
            shapes=shapes,
            workload=workload,
            device=device,
            speed=speed,
            models=models,
            held=models.resident(),
            step=models.step(workload.longest, workload.accumulates),
            validation=models.validation(workload.longest_validated),
            reading=reading,
            writing=writing,
        )

    @property
    def beside(self) -> memory.Beside:
        return memory.Beside(self.config, self.shapes, self.device, self.workload)

    def phases(self) -> tuple[Memory, ...]:
        """The fullest first."""
        training = memory.training_memory(self.beside, self.held, self.step, self.workload.longest)
        return tuple(sorted([training, *self.others()], key=lambda phase: phase.total, reverse=True))

    def others(self) -> tuple[Memory, ...]:
        """The phases beside training, which a recipe's micro-batch does not change."""
        work, held, beside = self.workload, self.held, self.beside
        generation = max(self.reading, self.writing, key=lambda one: one.peak)
        precision = PRECISIONS[self.config.model.precision]
        return (
            memory.evaluation_memory("validation", beside, held, self.validation, work.longest_validated),
            memory.evaluation_memory("generation", beside, held, generation, work.longest_answered),
            memory.loading_memory(held, self.shapes, precision, self.device),
        )

    def times(self) -> tuple[SecondsOf | None, dict[str, StageTime]]:
        """Seconds of a micro-batch, and those of every stage."""
        if self.speed is None:
            return None, {}
        work = self.workload
        longest, validated, asked = work.longest, work.longest_validated, work.longest_answered
        lengths = {shape.length for stage in work.stages for shape in stage.micro_batches}
        traced = {longest.length: self.step}
        for length in {min(lengths), (min(lengths) + max(lengths)) // 2} - {longest.length}:
            shape = Shape(longest.samples, length, min(length, longest.answer))
            traced[length] = self.models.step(shape, self.workload.accumulates)
        seconds = {length: self.speed.seconds(one.operators) for length, one in traced.items()}
        flops = {length: flops_of(one.operators) for length, one in traced.items()}
        validation = self.speed.seconds(self.validation.operators) / (validated.samples * validated.length)
        read, write = self.speed.seconds(self.reading.operators), self.speed.seconds(self.writing.operators)
        micro_batch = quadratic(seconds, longest.samples)
        return micro_batch, {
            stage.name: stage_time(
                stage,
                micro_batch,
                lambda shape: validation * shape.samples * shape.length,
                lambda shape: read * shape.samples / asked.samples + write * shape.answer,
                quadratic(flops, longest.samples),
            )
            for stage in work.stages
        }

    def recipes(self, limit: int | None) -> list[Recipe]:
        """Every division of a step's samples, in both precisions, with and without activation checkpointing."""
        config, longest = self.config, self.workload.longest
        section, model = config.stage(self.workload.stages[-1].name), config.model
        now = (model.precision, model.activation_checkpointing)
        found = []
        for precision in PRECISIONS:
            draft = self if precision == now[0] else self._in(precision)
            others = max(phase.total for phase in draft.others())
            for checkpointed in (False, True):
                step, held = draft.step, draft.held
                if checkpointed != model.activation_checkpointing:
                    models = _models(config, self.shapes, self.device, precision, checkpointed)
                    step, held = models.step(longest, self.workload.accumulates), models.resident()
                seconds = self.speed.seconds(step.operators) / longest.samples if self.speed else None
                budget, most = section.tokens_per_micro_batch, self.workload.stages[-1].most
                cuts = [(micro, pieces, None) for micro, pieces in divisions(section.samples_per_step)]
                for micro, pieces, tokens in [(longest.samples, most, budget), *cuts] if budget else cuts:
                    shape = Shape(micro, longest.length, longest.answer)
                    full = memory.training_memory(self.beside, held, step, shape, micro / longest.samples)
                    own = tokens == budget and (budget is not None or micro == section.batch_size)
                    found.append(
                        Recipe(
                            micro_batch=micro,
                            accumulation=pieces,
                            tokens=tokens,
                            budgeted=budget is not None,
                            precision=precision,
                            activation_checkpointing=checkpointed,
                            peak_bytes=max(full.total, others),
                            limit=limit,
                            seconds_per_sample=seconds,
                            chosen=own and (precision, checkpointed) == now,
                        )
                    )
        return found

    def _in(self, precision: str) -> "_Draft":
        model = self.config.model.model_copy(update={"precision": precision})
        config = self.config.model_copy(update={"model": model})
        return _Draft.of(config, self.shapes, self.workload, self.device, self.speed)


def _models(config: RunConfig, shapes: Shapes, device: str, precision: str, checkpointed: bool) -> Miniatures:
    return miniatures(
        shapes,
        config.base_directory,
        config.lora,
        PRECISIONS[precision],
        device,
        checkpointed=checkpointed,
    )


def flops_of(operators: Mapping[Operator, int]) -> float:
    return sum(count * one.flops for one, count in operators.items())
