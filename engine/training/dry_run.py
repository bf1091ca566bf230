"""`train --dry-run`: all that a run does, once and at its longest shapes, measured; nothing stays."""

import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from engine.config import RunConfig
from engine.data.curriculum import Sample
from engine.errors import UserError
from engine.model.lora import load_adapter, trainable
from engine.runs.checkpoints import CheckpointMeta
from engine.seeds import seed_for
from engine.training import checkpoint as checkpoints
from engine.training.audit import MovementWatch
from engine.training.batches import Collator, Encoded, encode_all
from engine.training.device.peak_memory import PeakMemory
from engine.training.evaluation import Evaluator
from engine.training.loaded import Loaded, load
from engine.training.loader import StageLoader
from engine.training.prepare import check_images, prepare_curriculum
from engine.training.quarantine import Quarantine
from engine.training.schedule import StageSchedule
from engine.training.stage import make_optimizer
from engine.training.train import NonFinite, backward, non_finite
from engine.words.sizes import on_disk

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


def try_run(
    config: RunConfig, device: torch.device, place: Path, stages: tuple[str, ...]
) -> tuple[Trial, dict[str, list[Encoded]]]:
    """What was measured, and the samples of train and val. Writes into `place`, which the caller removes.

    Raises `NonFinite`, and what the device raises where memory runs out.
    """
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


def longest_micro_batch(schedule: StageSchedule, pool: list[Encoded], multiple: int) -> list[Encoded]:
    """The micro-batch of the first epoch that takes most memory."""

    def room(micro: list[Encoded]) -> tuple[int, int]:
        padded = -(-max(len(one.ids) for one in micro) // multiple) * multiple
        return len(micro) * padded, max(one.supervised for one in micro)

    micros = ([pool[index] for index in micro] for step in schedule.epoch(0) for micro in step)
    return max(micros, key=room)


def without_traces(config: RunConfig, place: Path) -> RunConfig:
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
    whole = StageSchedule.of(config, name, lengths=[len(one.ids) for one in own], own=len(own))
    longest = longest_micro_batch(whole, own, config.data.length_multiple)
    check_images(
        config.data.image_root, [one.sample for one in longest], config.data.workers, _ignore, lambda: None
    )
    pool = longest * section.accumulation
    repeated = section.model_copy(
        update={"epochs": STEPS, "batch_size": len(longest), "tokens_per_micro_batch": None, "replay": 0.0}
    )
    schedule = StageSchedule(
        seed=config.seed, stage=name, section=repeated, lengths=[len(one.ids) for one in pool], own=len(pool)
    )
    collator = Collator(
        config.data.image_root, loaded.base.image_processor, loaded.base.pad_id, config.data.length_multiple
    )
    loader = StageLoader(
        schedule=schedule,
        pool=pool,
        collator=collator,
        quarantine=Quarantine(),
        workers=config.data.workers,
    )
    seconds = _take_steps(loaded, schedule, loader)
    return StageTrial(seconds, len(longest), collator.training(longest).ids.shape[1])


def _take_steps(loaded: Loaded, schedule: StageSchedule, loader: StageLoader) -> list[float]:
    """Seconds of every optimizer step, as training does them. Raises `NonFinite` at the first that is not finite."""
    optimizer = loaded.accelerator.prepare(make_optimizer(loaded, schedule))
    parameters = list(trainable(loaded.model).values())
    watch = MovementWatch(loaded.model)
    loaded.model.train()
    seconds = []
    began = time.monotonic()
    for step, micro_batches in loader.steps(after=0):
        torch.manual_seed(seed_for(schedule.seed, schedule.stage, "step", step))
        for group in optimizer.param_groups:
            group["lr"] = schedule.learning_rate(step)
        total = backward(loaded, micro_batches)
        grad_norm = loaded.accelerator.clip_grad_norm_(parameters, schedule.section.max_grad_norm)
        loss, norm = torch.stack([total, grad_norm.to(total)]).tolist()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise NonFinite(step, non_finite(schedule.stage, step, loss, norm, micro_batches))
        optimizer.step()
        watch.after_step(loaded.model)
        optimizer.zero_grad()
        seconds.append(time.monotonic() - began)
        _say(f"{schedule.stage} step {step} of {STEPS}: {seconds[-1]:.2f} s, loss {loss:.3f}")
        began = time.monotonic()
    return seconds


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
            directory, f"{stage}-000003", loaded.model, optimizer, CheckpointMeta(stage, STEPS, STEPS)
        )
    except checkpoints.NotWritten as error:
        raise UserError(str(error)) from None
    load_adapter(loaded.model, written.path)
    checkpoints.load_optimizer(written, loaded.model, optimizer)
    seconds = time.monotonic() - begun
    _say(f"checkpoint of {on_disk(checkpoints.size_of(written.path))} written and read in {seconds:.1f} s")
    return seconds


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _ignore(line: str) -> None:
    """The few films of a trial are not worth a line."""
