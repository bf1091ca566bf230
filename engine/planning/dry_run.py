"""`train --dry-run`: all that a run does, once and at its longest shapes, beside what the plan says; nothing stays."""

import json
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import torch

from engine.config import RunConfig, load_config
from engine.data.curriculum import Sample
from engine.errors import UserError
from engine.model.lora import load_adapter, trainable
from engine.planning.brief import lengths_of
from engine.planning.measured import PeakMemory
from engine.planning.memory import on_device
from engine.planning.plan import Plan, make_plan
from engine.planning.step import Shape
from engine.planning.workload import Lengths
from engine.runs.checkpoints import Standing
from engine.training import checkpoint as checkpoints
from engine.training.batches import Collator, Encoded, encode_all
from engine.training.device import device as devices
from engine.training.evaluation import Evaluator
from engine.training.loaded import Loaded, load
from engine.training.loop import NonFinite, StageTrainer
from engine.training.out_of_memory import is_out_of_memory
from engine.training.prepare import check_images, prepare_curriculum
from engine.training.schedule import StageSchedule
from engine.words.durations import duration
from engine.words.sizes import in_memory, on_disk

STEPS = 3
#: Phantom patients drawn where the configuration wants phantoms and has none yet.
PHANTOMS = 40


@dataclass(frozen=True)
class StageTrial:
    """seconds: of each step. shape: samples and padded tokens of their micro-batches."""

    seconds: list[float]
    samples: int
    length: int

    @property
    def settled(self) -> float:
        """Seconds a step once the first has paid for what is done only once."""
        return min(self.seconds[1:])


@dataclass
class Trial:
    """What was measured. generation: seconds of one batch of answers; checkpoint: of writing and reading one."""

    loading: float = 0.0
    stages: dict[str, StageTrial] = field(default_factory=dict)
    generation: float = 0.0
    checkpoint: float = 0.0
    peak: int = 0


def dry_run(place: Path, runs: Path, stages: tuple[str, ...], as_json: bool = False) -> int:
    """Try the configuration frozen in `place`, a directory of its own that the caller removes; print what it found.

    Exit code 1 if the run would not fit by what was measured.
    """
    signal.signal(signal.SIGTERM, _interrupted)
    asked = load_config(place / "config.yaml")
    config = _without_traces(asked, place)
    torch.set_num_threads(config.model.threads or torch.get_num_threads())
    device = devices.choose_device(config.model.device)
    try:
        trial, encoded = _tried(config, device, place, stages)
    except NonFinite as odd:
        _say(f"the run would not train: {odd}")
        return 1
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        _say("out of memory: the run would not fit; `cxr-cockpit plan CONFIG` tells which recipes do")
        return 1
    lengths = lengths_of(encoded)
    plan = make_plan(config, runs, stages, compare=False, lengths=lengths)
    whole = plan
    if asked.data.phantom and config.data.phantom and config is not asked:
        share = asked.data.phantom.patients / config.data.phantom.patients
        whole = make_plan(asked, runs, stages, compare=False, lengths=stretched(lengths, share))
    if as_json:
        print(json.dumps(trial_as_json(plan, trial, whole)))
    else:
        print("\n".join(summary(plan, trial, whole)), flush=True)
    return 1 if plan.limit is not None and trial.peak > plan.limit else 0


def _tried(
    config: RunConfig, device: torch.device, place: Path, stages: tuple[str, ...]
) -> tuple[Trial, dict[str, list[Encoded]]]:
    """What was measured, and the samples of train and val."""
    trial = Trial()
    with PeakMemory(device) as peak:
        samples = prepare_curriculum(config, _say, lambda: None)
        begun = time.monotonic()
        loaded = load(config, device, None)
        trial.loading = time.monotonic() - begun
        _say(f"loaded in {trial.loading:.1f} s")
        encoded = {
            split: encode_all(
                [one for one in samples if one.split == split], loaded.base.encoder, config.data.max_length
            )
            for split in ("train", "val")
        }
        for name in stages:
            trial.stages[name] = _try_stage(name, config, loaded, encoded["train"])
        trial.generation = _try_answers(config, loaded, samples, stages)
        trial.checkpoint = _try_checkpoint(place / "checkpoints", loaded, stages[0])
        trial.peak = peak.bytes
    return trial, encoded


def stretched(lengths: Lengths, share: float) -> Lengths:
    """The lengths of `share` times as many samples, as like them as can be."""
    return {
        of: [own[index % len(own)] for index in range(round(share * len(own)))] for of, own in lengths.items()
    }


def longest_micro_batch(schedule: StageSchedule, pool: list[Encoded], multiple: int) -> list[Encoded]:
    """The micro-batch of the first epoch that takes most memory."""

    def room(micro: list[Encoded]) -> tuple[int, int]:
        padded = -(-max(len(one.ids) for one in micro) // multiple) * multiple
        return len(micro) * padded, max(one.supervised for one in micro)

    micros = ([pool[index] for index in micro] for step in schedule.epoch(0) for micro in step)
    return max(micros, key=room)


def _without_traces(config: RunConfig, place: Path) -> RunConfig:
    """Phantoms that are not there yet would be made for good: a few are drawn in `place` instead."""
    phantom = config.data.phantom
    if phantom is None or config.data.curriculum.is_file():
        return config
    home = place / "phantom"
    fewer = phantom.model_copy(update={"patients": min(phantom.patients, PHANTOMS)})
    here = {
        "phantom": fewer,
        "curriculum": home / "curriculum" / "curriculum.jsonl",
        "image_root": home / "mimic-cxr-jpg" / "2.1.0",
    }
    return config.model_copy(update={"data": config.data.model_copy(update=here)})


def _try_stage(name: str, config: RunConfig, loaded: Loaded, train: list[Encoded]) -> StageTrial:
    """Three optimizer steps, every micro-batch of them the stage's longest."""
    section = config.stage(name)
    own = [one for one in train if one.sample.stage == name]
    schedule = StageSchedule(config.seed, name, section, [len(one.ids) for one in own], len(own))
    longest = longest_micro_batch(schedule, own, config.data.length_multiple)
    check_images(
        config.data.image_root, [one.sample for one in longest], config.data.workers, _ignore, lambda: None
    )
    pool = longest * section.accumulation
    repeated = section.model_copy(update={"epochs": STEPS, "batch_size": len(longest), "replay": 0.0})
    optimizer = torch.optim.AdamW(
        trainable(loaded.model).values(),
        lr=section.learning_rate,
        weight_decay=section.weight_decay,
        fused=devices.device_of(loaded.accelerator.device).fused_optimizer,
    )
    collator = Collator(
        config.data.image_root, loaded.base.image_processor, loaded.base.pad_id, config.data.length_multiple
    )
    trainer = StageTrainer(
        StageSchedule(config.seed, name, repeated, [len(one.ids) for one in pool], len(pool)),
        pool,
        loaded.model,
        loaded.base,
        loaded.accelerator.prepare(optimizer),
        loaded.accelerator,
        collator,
        config.data.workers,
    )
    seconds = []
    length = collator.training(longest).ids.shape[1]
    for record in trainer.steps():
        seconds.append(record.seconds)
        _say(f"{name} step {record.step} of {STEPS}: {record.seconds:.2f} s, loss {record.loss:.3f}")
    return StageTrial(seconds, len(longest), length)


def _try_answers(config: RunConfig, loaded: Loaded, samples: list[Sample], stages: tuple[str, ...]) -> float:
    """Answers to one batch of validation samples, those with the longest prompts."""
    asked = [one for one in samples if one.split == "val" and one.stage in stages]
    asked = sorted(asked, key=lambda one: len(one.prompt), reverse=True)[: config.evaluation.batch_size]
    begun = time.monotonic()
    Evaluator(loaded.model, loaded.base, config, lambda: None).rows(asked, "case", "dry run", 0)
    seconds = time.monotonic() - begun
    _say(f"{len(asked)} answers in {seconds:.1f} s")
    return seconds


def _try_checkpoint(directory: Path, loaded: Loaded, stage: str) -> float:
    """One written, verified and read back."""
    begun = time.monotonic()
    directory.mkdir(mode=0o700)
    optimizer = torch.optim.AdamW(trainable(loaded.model).values())
    for parameter in trainable(loaded.model).values():
        moments = {key: torch.zeros_like(parameter) for key in ("exp_avg", "exp_avg_sq")}
        optimizer.state[parameter] = {"step": torch.tensor(0.0), **moments}
    try:
        written = checkpoints.write_checkpoint(
            directory, f"{stage}-000003", loaded.model, optimizer, Standing(stage, STEPS, STEPS)
        )
    except checkpoints.NotWritten as error:
        raise UserError(str(error)) from None
    load_adapter(loaded.model, written.path)
    checkpoints.load_optimizer(written, loaded.model, optimizer)
    seconds = time.monotonic() - begun
    _say(f"checkpoint of {on_disk(checkpoints.size_of(written.path))} written and read in {seconds:.1f} s")
    return seconds


def trial_as_json(plan: Plan, trial: Trial, whole: Plan) -> dict[str, Any]:
    """Bytes and seconds, planned and measured; those of the whole run planned and corrected, null where unknown."""
    planned, corrected = whole_run(whole, trial)
    return {
        "whole_run_planned_seconds": planned or None,
        "whole_run_seconds": corrected or None,
        "planned_bytes": on_device(plan.peak, plan.device),
        "planned_parts": plan.peak.parts,
        "measured_bytes": trial.peak,
        "stages": {
            name: {
                "samples": stage.samples,
                "length": stage.length,
                "planned_seconds": _planned_step(plan, name, stage),
                "measured_seconds": stage.settled,
            }
            for name, stage in trial.stages.items()
        },
        "loading_seconds": trial.loading,
        "generation_seconds": trial.generation,
        "checkpoint_seconds": trial.checkpoint,
    }


def _planned_step(plan: Plan, name: str, stage: StageTrial) -> float | None:
    """Seconds of an optimizer step whose micro-batches all have the trial's shape."""
    if plan.micro_batch_seconds is None:
        return None
    once = plan.micro_batch_seconds(Shape(stage.samples, stage.length, 0))
    return plan.config.stage(name).accumulation * once


def whole_run(whole: Plan, trial: Trial) -> tuple[float, float]:
    """Seconds of the run as planned, and with each stage's steps as long as they were measured; 0 where unknown."""
    planned = corrected = 0.0
    for name, stage in trial.stages.items():
        per_step = _planned_step(whole, name, stage)
        if per_step and (time := whole.times.get(name)):
            planned += time.total
            corrected += time.total + time.training * (stage.settled / per_step - 1)
    return planned, corrected


def summary(plan: Plan, trial: Trial, whole: Plan) -> list[str]:
    """Planned against measured, and the hours of the `whole` run corrected by it."""
    planned = on_device(plan.peak, plan.device)
    lines = [
        "",
        "                      planned    measured",
        f"  peak memory      {in_memory(planned):>10}  {in_memory(trial.peak):>10}{_ratio(trial.peak, planned)}",
    ]
    for name, stage in trial.stages.items():
        per_step = _planned_step(plan, name, stage)
        told = f"{per_step:.2f} s" if per_step else "—"
        lines.append(
            f"  {name}, a step  {told:>12}  {stage.settled:>8.2f} s{_ratio(stage.settled, per_step)}"
        )
    known, corrected = whole_run(whole, trial)
    if known:
        lines.append(f"  the whole run  {duration(known):>12}  {duration(corrected):>10}")
    lines.append(
        f"  loading {trial.loading:.1f} s, {plan.config.evaluation.batch_size} answers {trial.generation:.1f} s, "
        f"a checkpoint {trial.checkpoint:.1f} s; nothing was left behind"
    )
    if plan.limit is not None and trial.peak > plan.limit:
        lines.append(
            f"  ✖ more than the {in_memory(plan.limit)} there are: see `cxr-cockpit plan CONFIG` for what fits"
        )
    return lines


def _ratio(measured: float, planned: float | None) -> str:
    return f"   {measured / planned - 1:+.0%}" if planned else ""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _ignore(line: str) -> None:
    """The few films of a trial are not worth a line."""


def _interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt
