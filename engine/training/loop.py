"""The training loop of one stage, from top to bottom."""

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
from engine.training.randomness import seed_for
from engine.training.sampling import loss_of
from engine.training.schedule import StageSchedule


class NonFinite(Exception):
    """Loss or gradient is not finite; the weights are still those of the step before."""


@dataclass
class StepRecord:
    """One optimizer step. loss: mean per supervised token of the whole window. seconds: wall time."""

    step: int
    loss: float
    grad_norm: float
    learning_rate: float
    supervised: int
    padding: float
    samples: int
    seconds: float

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
    """A stage with everything its steps need. `step` is the last optimizer step done."""

    schedule: StageSchedule
    pool: list[Encoded]
    model: PeftModel
    base: Base
    optimizer: torch.optim.Optimizer
    accelerator: Accelerator
    collator: Collator
    workers: int
    step: int = 0
    audited: str | None = field(default=None, init=False)

    def steps(self) -> Iterator[StepRecord]:
        """Train from the step after `self.step` to the stage's end, yielding after every optimizer step.

        Raises `NonFinite` before the weights take a step they would not come back from.
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
            if not (abs(loss_value) < float("inf") and norm_value < float("inf")):
                optimizer.zero_grad()
                raise NonFinite(
                    f"step {step} of {self.schedule.stage}: loss {loss_value}, gradient norm {norm_value}"
                )
            optimizer.step()
            optimizer.zero_grad()
            if watch and (line := watch.after_step(self.model)):
                self.audited, watch = line, None

            self.step = step
            now = time.monotonic()
            samples = sum(len(batch.ids) for batch in window)
            padding = sum(batch.padding * batch.ids.numel() for batch in window) / sum(
                b.ids.numel() for b in window
            )
            yield StepRecord(step, loss_value, norm_value, rate, supervised, padding, samples, now - begun)
            begun = time.monotonic()

    def _windows(self) -> Iterator[tuple[int, list[Batch]]]:
        """Every remaining step with its micro-batches, images decoded ahead of need."""
        epoch_length = self.schedule.steps_per_epoch
        wanted = range(self.step + 1, self.schedule.steps + 1)

        def micro_batches() -> Iterator[tuple[int, bool, list[Encoded]]]:
            for epoch in range(self.step // epoch_length, self.schedule.section.epochs):
                for within, micros in enumerate(self.schedule.epoch(epoch)):
                    step = epoch * epoch_length + within + 1
                    if step in wanted:
                        for number, indices in enumerate(micros):
                            yield step, number + 1 == len(micros), [self.pool[index] for index in indices]

        window: list[Batch] = []
        made = prefetched(
            micro_batches(), lambda item: (item[0], item[1], self.collator.training(item[2])), self.workers
        )
        for step, last, batch in made:
            window.append(batch)
            if last:
                yield step, window
                window = []
