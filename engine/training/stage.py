"""A stage under way: all that its steps need, how it is made, and what people may ask of it."""

import gc
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from engine.config import RunConfig
from engine.data.curriculum import Sample
from engine.errors import UserError
from engine.model.lora import trainable
from engine.runs.checkpoints import Ended
from engine.runs.store.opening import RunReader, RunWriter
from engine.runs.store.rows import Command
from engine.seeds import seed_for
from engine.stages import STAGE_NAMES
from engine.training import checkpoint as checkpoints
from engine.training.batches import Collator, Encoded
from engine.training.checkpoint import Checkpoint
from engine.training.control import Control
from engine.training.device.device import device_of
from engine.training.device.samplers import Gauges
from engine.training.evaluation import Evaluator, subset
from engine.training.loaded import Loaded
from engine.training.loader import StageLoader
from engine.training.progress import StageProgress
from engine.training.quarantine import Quarantine
from engine.training.saving import Saver
from engine.training.schedule import StageSchedule
from engine.training.scoring import score_checkpoint
from engine.training.stage_evaluation import StageEvaluation
from engine.training.state import StageState
from engine.training.timetable import Timetable


@dataclass(kw_only=True)
class Stage:
    """A stage under way. samples: the whole curriculum, for `evaluate`."""

    config: RunConfig
    state: StageState
    schedule: StageSchedule
    timetable: Timetable
    loader: StageLoader
    loaded: Loaded
    optimizer: torch.optim.Optimizer
    evaluation: StageEvaluation
    saver: Saver
    progress: StageProgress
    samples: Sequence[Sample]
    gauges: Gauges
    control: Control
    writer: RunWriter

    @property
    def name(self) -> str:
        return self.state.stage

    def tell(self, kind: str, message: str, level: str = "info") -> None:
        """Store an event of the step done last."""
        self.writer.event(kind, message, level=level, stage=self.name, step=self.state.step)

    def hold(self, reason: str) -> None:
        """Alert, and wait until somebody continues. Raises `Interrupt`."""
        self.tell("alert", reason, level="error")
        self.control.hold(reason)

    def save(self, ended: Ended = "") -> Checkpoint:
        """Write a checkpoint of the step done last. Raises `NotWritten`."""
        return self.saver.write(self.state.meta(ended))

    def save_or_retry(self) -> None:
        """The same; where the disk takes none, it is tried again later."""
        began = self.control.working()
        self.saver.attempt(self.state.meta())
        self.progress.pace.duty("checkpoint", self.control.working() - began)

    def save_interrupted(self, ended: Ended) -> Checkpoint | None:
        """Make the step done last safe, as park and stop do. None where no step was done and none was loaded.

        Raises `NotWritten`.
        """
        return self.save(ended) if self.state.step or ended else None

    def release_memory(self) -> None:
        """After memory ran out: let go of gradients and caches, and make the step done last safe if it can be."""
        self.optimizer.zero_grad(set_to_none=True)
        gc.collect()
        device_of(self.loaded.accelerator.device).empty_cache()
        if self.state.step:
            self.save_or_retry()

    def carry_out(self, command: Command) -> str:
        """Do what a person asked for beside hold, continue, park and stop; returns the outcome in words."""
        if command.verb == "save":
            return f"checkpoint {self.save().name}"
        if command.verb == "sample":
            return f"{self.evaluation.sample_cases()} cases sampled at step {self.state.step}"
        if command.verb == "evaluate":
            return self._evaluate(command)
        raise UserError(f"cannot {command.verb}")

    def _evaluate(self, command: Command) -> str:
        """The weights in memory, made a checkpoint first so that the scores belong to something that stays."""
        wanted = command.arguments.get("checkpoint")
        current = self.save()
        if wanted not in (None, current.name):
            raise UserError(f"the engine is at {current.name}; park the run to evaluate {wanted}")
        before = self.control.enter("evaluating")
        result = score_checkpoint(
            writer=self.writer,
            loaded=self.loaded,
            config=self.config,
            samples=self.samples,
            wanted=current,
            split=command.arguments.get("split") or "val",
            limit=command.arguments.get("limit"),
            poll=self.control.poll,
        )
        self.control.enter(before)
        return json.dumps(result)


def schedule_stage(
    config: RunConfig, name: str, train: Sequence[Encoded]
) -> tuple[StageSchedule, list[Encoded]]:
    """A stage's schedule and its pool: its own samples, then those of earlier stages that may be replayed."""
    earlier = STAGE_NAMES[: STAGE_NAMES.index(name)]
    own = [one for one in train if one.sample.stage == name]
    pool = own + [one for one in train if one.sample.stage in earlier]
    return StageSchedule.of(config, name, lengths=[len(one.ids) for one in pool], own=len(own)), pool


def make_stage(
    name: str,
    *,
    config: RunConfig,
    loaded: Loaded,
    collator: Collator,
    samples: Sequence[Sample],
    encoded: Mapping[str, Sequence[Encoded]],
    resume_from: Checkpoint | None,
    quarantine: Quarantine,
    gauges: Gauges,
    control: Control,
    writer: RunWriter,
    reader: RunReader,
) -> Stage:
    """The stage from its first step, or with moments and counts of the checkpoint in its midst.

    encoded: by split. The pace of an earlier engine is read from the run.
    """
    schedule, pool = schedule_stage(config, name, encoded["train"])
    state = StageState(stage=name, steps=schedule.steps)
    optimizer = make_optimizer(loaded, schedule)
    if resume_from:
        checkpoints.load_optimizer(resume_from, loaded.model, optimizer)
        state.step, state.skipped_steps = resume_from.meta.step, resume_from.meta.skipped_steps
    prepared = loaded.accelerator.prepare(optimizer)
    own = [one.sample for one in encoded["val"] if one.sample.stage == name]
    validation = subset(own, config.evaluation.validation_limit, config.seed)
    cases = fixed_cases(validation, config.evaluation.cases, config.seed)
    timetable = Timetable(config.cadence)
    progress = StageProgress(
        state=state,
        schedule=schedule,
        timetable=timetable,
        cases=len(cases),
        validation=len(validation),
        gauges=gauges,
        writer=writer,
    )
    progress.remember(reader)
    return Stage(
        config=config,
        state=state,
        schedule=schedule,
        timetable=timetable,
        loader=StageLoader(
            schedule=schedule,
            pool=pool,
            collator=collator,
            quarantine=quarantine,
            workers=config.data.workers,
        ),
        loaded=loaded,
        optimizer=prepared,
        evaluation=StageEvaluation(
            state=state,
            evaluator=Evaluator(loaded.model, loaded.base, config, control.poll),
            validation=validation,
            cases=cases,
            quarantine=quarantine,
            control=control,
            writer=writer,
            reader=reader,
            progress=progress,
        ),
        saver=Saver(model=loaded.model, optimizer=prepared, section=config.checkpoints, writer=writer),
        progress=progress,
        samples=samples,
        gauges=gauges,
        control=control,
        writer=writer,
    )


def make_optimizer(loaded: Loaded, schedule: StageSchedule) -> torch.optim.AdamW:
    """AdamW over all that is trained; the learning rate is set anew at each step."""
    return torch.optim.AdamW(
        trainable(loaded.model).values(),
        lr=schedule.section.learning_rate,
        weight_decay=schedule.section.weight_decay,
        fused=device_of(loaded.accelerator.device).fused_optimizer,
    )


def fixed_cases(validation: Sequence[Sample], count: int, seed: int) -> list[Sample]:
    """The validation samples whose reports are followed, always the same ones for a seed."""
    drawn = sorted(validation, key=lambda one: seed_for(seed, "cases", one.id))
    return sorted(drawn[:count], key=lambda one: one.id)
