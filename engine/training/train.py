"""A stage is trained here, from its first step to its end; read it from top to bottom."""

import functools
import math
import time
from collections.abc import Sequence
from contextlib import nullcontext

import torch

from engine.model.lora import trainable
from engine.seeds import seed_for
from engine.training.audit import MovementWatch
from engine.training.batches import Batch
from engine.training.device.device import device_of
from engine.training.loaded import Loaded
from engine.training.quarantine import FilmsFail
from engine.training.sampling import loss_of
from engine.training.stage import Stage
from engine.training.state import StepRecord

#: Seconds between two attempts to write the checkpoint that ends a stage.
RETRY_SECONDS = 30.0


class NonFinite(Exception):
    """Loss or gradient is not finite once too often; the weights are still those of the step before."""

    def __init__(self, step: int, message: str) -> None:
        super().__init__(message)
        self.step = step


def train_stage(stage: Stage) -> None:
    """Train what is left of the stage, score it, and write the checkpoint that ends it.

    Raises `Interrupt` for park and stop, with nothing half done: called again it goes on. What the configuration does
    not let it bear makes it hold: it goes on when somebody continues.
    """
    while True:
        stage.control.enter("training")
        stage.progress.show(None)
        try:
            do_what_is_due(stage)  # a step that a parked or held attempt left with something due
            train_steps(stage)
            validate(stage)
            stage.evaluation.sample_cases()
            stage.evaluation.score()
            break
        except NonFinite as found:
            stage.hold(str(found))
            stage.state.review(found.step)
        except FilmsFail as failing:
            stage.hold(str(failing))
    while not stage.saver.attempt(stage.state.meta("finished")):
        # the stage's end has to be on disk before the next one begins
        stage.control.hold(f"{stage.name} is done, its checkpoint is not: the disk takes none", RETRY_SECONDS)


def train_steps(stage: Stage) -> None:
    """Every optimizer step behind the one done last, and after each what is due and what is asked for.

    A step that the weights would not come back from is skipped. Raises `NonFinite` where that happens too often, and
    `FilmsFail`; either way the step before is the last one done.
    """
    state, schedule, optimizer = stage.state, stage.schedule, stage.optimizer
    model, accelerator = stage.loaded.model, stage.loaded.accelerator
    parameters = list(trainable(model).values())
    watch: MovementWatch | None = MovementWatch(model)
    model.train()

    began = time.monotonic()
    for step, micro_batches in stage.loader.steps(after=state.step):
        torch.manual_seed(seed_for(schedule.seed, stage.name, "step", step))  # for dropout

        # learning rate
        learning_rate = schedule.learning_rate(step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate

        # forward and backward, then the one wait of the step for the device
        total = backward(stage.loaded, micro_batches)
        grad_norm = accelerator.clip_grad_norm_(parameters, schedule.section.max_grad_norm)
        loss, norm = torch.stack([total, grad_norm.to(total)]).tolist()

        # step
        skip_reason, audited = "", None
        if math.isfinite(loss) and math.isfinite(norm):
            optimizer.step()
            audited = watch.after_step(model) if watch else None
        else:
            skip_reason = skip(stage, step, non_finite(stage.name, step, loss, norm, micro_batches))
        optimizer.zero_grad()
        state.step = step

        # record
        record = StepRecord(
            step=step,
            loss=loss,
            grad_norm=norm,
            learning_rate=learning_rate,
            supervised=sum(batch.supervised for batch in micro_batches),
            padding=padding_of(micro_batches),
            samples=sum(len(batch.ids) for batch in micro_batches),
            seconds=time.monotonic() - began,
            skip_reason=skip_reason,
        )
        record_step(stage, record)
        if audited:
            watch = None
            stage.tell("note", audited)
        stage.progress.show(record)

        # what people ask for, then what is due
        stage.control.poll()
        do_what_is_due(stage)
        began = time.monotonic()


def backward(loaded: Loaded, micro_batches: Sequence[Batch]) -> torch.Tensor:
    """Add the gradients of an optimizer step; returns its loss a supervised token, a scalar on the device."""
    model, accelerator = loaded.model, loaded.accelerator
    supervised = sum(batch.supervised for batch in micro_batches)
    losses = []
    for number, batch in enumerate(micro_batches, 1):
        with nullcontext() if number == len(micro_batches) else accelerator.no_sync(model):
            # the sum over the step divided by the step's tokens: a mean of micro-batch means would weigh a token of
            # a short answer more than one of a long one
            loss = loss_of(model, batch.to(accelerator.device), loaded.base.vocabulary) / supervised
            accelerator.backward(loss)
            losses.append(loss.detach())
    return functools.reduce(torch.add, losses)


def do_what_is_due(stage: Stage) -> None:
    """Validation, cases and checkpoint, each at its cadence; what this step has had already is not done again."""
    step, timetable = stage.state.step, stage.timetable
    if not step:
        return
    if timetable.due("validation", step):
        validate(stage)
        timetable.done("validation")
    if timetable.due("sample", step):
        stage.evaluation.sample_cases()
        timetable.done("sample")
    if timetable.due("checkpoint", step):
        stage.save_or_retry()
        timetable.done("checkpoint")
    if stage.saver.retry_due(step):
        stage.save_or_retry()


def validate(stage: Stage) -> None:
    """Take the validation loss, and keep the weights if they are the best so far."""
    lowest_so_far = stage.evaluation.validate()
    if lowest_so_far and stage.config.checkpoints.best == "val/loss":
        stage.save_or_retry()


def record_step(stage: Stage, record: StepRecord) -> None:
    """Store what the step was, and what the gauges show after it."""
    stage.progress.pace.step(record.seconds)
    stage.writer.scalars(stage.name, record.step, record.scalars() | stage.gauges.read())
    device_of(stage.loaded.accelerator.device).after_step(record.step)
    if record.skip_reason:
        stage.tell("alert", record.skip_reason, level="warn")


def skip(stage: Stage, step: int, what: str) -> str:
    """Count a step that the weights do not take; returns the line about it. Raises `NonFinite` past the budget."""
    state, budget = stage.state, stage.config.tolerance.skipped_steps
    if step == state.reviewed_step:
        return f"{what}: skipped"
    if state.skipped_steps >= budget:
        stage.optimizer.zero_grad()
        raise NonFinite(
            step, f"{what} ({state.skipped_steps} skipped before, tolerance.skipped_steps is {budget})"
        )
    state.skipped_steps += 1
    return f"{what}: skipped, {state.skipped_steps} of {budget} a stage may have"


def non_finite(stage: str, step: int, loss: float, norm: float, micro_batches: Sequence[Batch]) -> str:
    """A line about a step that is not finite, with its samples."""
    samples = ", ".join(name for batch in micro_batches for name in batch.samples)
    return f"step {step} of {stage}: loss {loss:.4g}, gradient norm {norm:.4g}; samples {samples}"


def padding_of(micro_batches: Sequence[Batch]) -> float:
    """Share of all positions that hold nothing."""
    padded = sum(batch.padding * batch.ids.numel() for batch in micro_batches)
    return padded / sum(batch.ids.numel() for batch in micro_batches)
