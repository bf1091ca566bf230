"""The training loop of one stage, from top to bottom."""

import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field

import torch
from accelerate import Accelerator
from peft import PeftModel

from engine.model.loading import Base
from engine.model.lora import trainable
from engine.training.audit import MovementWatch
from engine.training.batches import Batch, Collator, Encoded, prefetched
from engine.training.quarantine import FilmsFail, LostFilm, Quarantine, stand_in
from engine.training.randomness import seed_for
from engine.training.sampling import loss_of
from engine.training.schedule import StageSchedule


class NonFinite(Exception):
    """Loss or gradient is not finite once too often; the weights are still those of the step before."""

    def __init__(self, step: int, message: str) -> None:
        super().__init__(message)
        self.step = step


@dataclass
class StepRecord:
    """One optimizer step. loss: mean per supervised token of the whole window. seconds: wall time.

    skipped: why the weights did not take the step, "" if they did.
    """

    step: int
    loss: float
    grad_norm: float
    learning_rate: float
    supervised: int
    padding: float
    samples: int
    seconds: float
    skipped: str = ""

    def scalars(self) -> dict[str, float]:
        return {
            "train/loss": self.loss,
            "train/lr": self.learning_rate,
            "train/grad_norm": self.grad_norm,
            "train/samples_per_second": self.samples / self.seconds,
            "train/supervised_tokens": float(self.supervised),
            "train/padding": self.padding,
        }


@dataclass
class StageTrainer:
    """A stage with everything its steps need. `step` is the last optimizer step done.

    may_skip: steps whose loss or gradient may be not finite. skipped: how many there have been since somebody looked.
    excused: a step that somebody has looked at, and that counts no more.
    """

    schedule: StageSchedule
    pool: list[Encoded]
    model: PeftModel
    base: Base
    optimizer: torch.optim.Optimizer
    accelerator: Accelerator
    collator: Collator
    workers: int
    step: int = 0
    quarantine: Quarantine = field(default_factory=Quarantine)
    may_skip: int = 0
    skipped: int = 0
    excused: int = 0
    audited: str | None = field(default=None, init=False)

    def steps(self) -> Iterator[StepRecord]:
        """Train from the step after `self.step` to the stage's end, yielding after every optimizer step.

        A step that the weights would not come back from is skipped. Raises `NonFinite` where that happens too often,
        and `FilmsFail`; either way the step before it is the last one done, and calling again goes on from there.
        """
        accelerator, optimizer = self.accelerator, self.optimizer
        parameters = list(trainable(self.model).values())
        watch: MovementWatch | None = MovementWatch(self.model)
        self.model.train()

        begun = time.monotonic()
        for step, window in self._windows():
            torch.manual_seed(seed_for(self.schedule.seed, self.schedule.stage, "step", step))
            rate = self.schedule.learning_rate(step)
            for group in optimizer.param_groups:
                group["lr"] = rate

            supervised = sum(batch.supervised for batch in window)
            total = torch.zeros((), device=accelerator.device)
            for number, batch in enumerate(window):
                last = number + 1 == len(window)
                with nullcontext() if last else accelerator.no_sync(self.model):
                    # the sum over the window divided by the window's tokens: a mean of micro-batch means would weigh
                    # a token of a short answer more than one of a long one
                    loss = (
                        loss_of(self.model, batch.to(accelerator.device), self.base.vocabulary) / supervised
                    )
                    accelerator.backward(loss)
                    total += loss.detach()
            norm = accelerator.clip_grad_norm_(parameters, self.schedule.section.max_grad_norm)

            loss_value, norm_value = torch.stack(
                [total, norm.to(total)]
            ).tolist()  # the step's one wait for the device
            odd = ""
            if math.isfinite(loss_value) and math.isfinite(norm_value):
                optimizer.step()
            else:
                odd = self._skip(step, loss_value, norm_value, window)
            optimizer.zero_grad()
            if watch and not odd and (line := watch.after_step(self.model)):
                self.audited, watch = line, None

            self.step = step
            now = time.monotonic()
            samples = sum(len(batch.ids) for batch in window)
            padding = sum(batch.padding * batch.ids.numel() for batch in window) / sum(
                b.ids.numel() for b in window
            )
            yield StepRecord(
                step, loss_value, norm_value, rate, supervised, padding, samples, now - begun, odd
            )
            begun = time.monotonic()

    def _skip(self, step: int, loss: float, norm: float, window: list[Batch]) -> str:
        """Leave a step out that is not finite; returns the line that says so. Raises `NonFinite` past the budget."""
        samples = ", ".join(name for batch in window for name in batch.samples)
        what = f"step {step} of {self.schedule.stage}: loss {loss:.4g}, gradient norm {norm:.4g}; samples {samples}"
        if step == self.excused:
            return f"{what}: skipped"
        if self.skipped >= self.may_skip:
            self.optimizer.zero_grad()
            raise NonFinite(
                step, f"{what} ({self.skipped} skipped before, tolerance.skipped_steps is {self.may_skip})"
            )
        self.skipped += 1
        return f"{what}: skipped, {self.skipped} of {self.may_skip} a stage may have"

    def _windows(self) -> Iterator[tuple[int, list[Batch]]]:
        """Every remaining step with its micro-batches, images decoded ahead of need."""
        epoch_length = self.schedule.steps_per_epoch
        wanted = range(self.step + 1, self.schedule.steps + 1)

        def micro_batches() -> Iterator[_MicroBatch]:
            for epoch in range(self.step // epoch_length, self.schedule.section.epochs):
                for within, micros in enumerate(self.schedule.epoch(epoch)):
                    step = epoch * epoch_length + within + 1
                    if step in wanted:
                        for number, indices in enumerate(micros):
                            samples = [self.pool[index] for index in indices]
                            yield _MicroBatch(step, epoch, number + 1 == len(micros), samples)

        window: list[Batch] = []
        for asked, made in prefetched(
            micro_batches(), lambda asked: (asked, self._made(asked)), self.workers
        ):
            window.append(self._settled(asked, made))
            if asked.last:
                yield asked.step, window
                window = []

    def _made(self, asked: "_MicroBatch") -> "_Made":
        """The batch of what is asked for, with others in the place of lost films. Runs ahead, in threads."""
        samples = [self._present(one, asked) for one in asked.samples]
        try:
            return samples, self.collator.training(samples)
        except LostFilm as lost:
            return samples, lost

    def _settled(self, asked: "_MicroBatch", made: "_Made") -> Batch:
        """`made`, once it is what it would be had every batch been made after the one before it.

        The threads look ahead: one may have met a film that the batch before it was about to lose.
        """
        stage = self.schedule.stage
        while True:
            samples, outcome = made
            if isinstance(outcome, LostFilm):
                self.quarantine.add(outcome, stage, asked.step, [one.sample for one in self.pool])
            elif not any(self.quarantine.holds(one.sample, stage, asked.step) for one in samples):
                return outcome
            made = self._made(asked)

    def _present(self, one: Encoded, asked: "_MicroBatch") -> Encoded:
        """The sample itself, or the one that takes its place: of the same stage, drawn by its id."""
        stage, step = self.schedule.stage, asked.step
        if not self.quarantine.holds(one.sample, stage, step):
            return one
        alike = [other for other in self.pool if other.sample.stage == one.sample.stage]
        order = stand_in(
            self.schedule.seed, stage, asked.epoch, one.sample, [other.sample for other in alike]
        )
        for index in order:
            if not self.quarantine.holds(alike[index].sample, stage, step):
                return alike[index]
        raise FilmsFail(f"every film of {one.sample.stage} has failed")


@dataclass(frozen=True)
class _MicroBatch:
    step: int
    epoch: int
    last: bool
    samples: list[Encoded]


#: The samples that were taken, and their batch or the film that failed.
_Made = tuple[list[Encoded], Batch | LostFilm]
