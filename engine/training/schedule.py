"""What a stage does at which step: order, micro-batches and learning rate, all pure functions."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from engine.config import Order, RunConfig, StageSection
from engine.seeds import seed_for

#: Steps' worth of samples that `data.order: by_length` sorts together.
WINDOW_STEPS = 12

MicroBatch = tuple[int, ...]  # indices into the stage's pool
Step = tuple[MicroBatch, ...]


@dataclass(frozen=True, kw_only=True)
class StageSchedule:
    """The steps of one stage.

    A step is a random draw of `batch_size` × `accumulation` samples. Padding is fought inside it only: its samples,
    sorted by length, are cut into micro-batches, and since the loss is a sum over the step's tokens, the gradient is
    the same whatever the cut. Sorting beyond a step would make steps of one kind: long reports are the abnormal ones.

    lengths: tokens of every sample of the pool: the stage's own samples first, then those of earlier stages that may
    be replayed. own: how many of the pool are the stage's own. length_multiple: what batches are padded to.
    order: see `DataSection.order`.
    """

    seed: int
    stage: str
    section: StageSection
    lengths: Sequence[int]
    own: int
    length_multiple: int = 1
    order: Order = "random"

    @classmethod
    def of(cls, config: RunConfig, stage: str, lengths: Sequence[int], own: int) -> "StageSchedule":
        """The schedule of a stage as the run's configuration asks for it."""
        data = config.data
        return cls(
            seed=config.seed,
            stage=stage,
            section=config.stage(stage),
            lengths=lengths,
            own=own,
            length_multiple=data.length_multiple,
            order=data.order,
        )

    @property
    def replayed(self) -> int:
        """Samples of earlier stages an epoch takes."""
        return min(len(self.lengths) - self.own, round(self.own * self.section.replay))

    @property
    def samples_per_epoch(self) -> int:
        return self.own + self.replayed

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(self.samples_per_epoch / self.section.samples_per_step)

    @property
    def steps(self) -> int:
        return self.section.epochs * self.steps_per_epoch

    def epoch_of(self, step: int) -> float:
        """Epochs done after optimizer step `step` (counted from 1)."""
        return step / self.steps_per_epoch

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then a cosine that reaches `final` after the last step, so that it is a step, too.

        `step` counts from 1.
        """
        peak, warmup = self.section.learning_rate, round(self.section.warmup * self.steps)
        if step <= warmup:
            return peak * step / warmup
        progress = (step - 1 - warmup) / (self.steps - warmup)
        floor = self.section.final
        return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))

    def epoch(self, epoch: int) -> list[Step]:
        """The steps of epoch `epoch` (counted from 0): every own sample once, replayed ones spread evenly."""
        draw = random.Random(seed_for(self.seed, self.stage, "order", epoch))
        pool = list(range(self.own))
        draw.shuffle(pool)
        if self.replayed:
            pool = _interleave(pool, draw.sample(range(self.own, len(self.lengths)), self.replayed))
        if self.order == "by_length":
            return self._sorted_beyond_steps(pool, draw)
        each = self.section.samples_per_step
        return [self._cut(pool[at : at + each]) for at in range(0, len(pool), each)]

    def _cut(self, drawn: Sequence[int]) -> Step:
        """A step's samples as micro-batches of like length, the longest first: what needs most memory comes first."""
        by_length = sorted(drawn, key=lambda index: self.lengths[index], reverse=True)
        budget = self.section.tokens_per_micro_batch
        cut: list[MicroBatch] = []
        while by_length:
            fits = self.section.batch_size
            if budget:
                longest = math.ceil(self.lengths[by_length[0]] / self.length_multiple) * self.length_multiple
                fits = max(1, budget // longest)
            cut.append(tuple(by_length[:fits]))
            by_length = by_length[fits:]
        return tuple(cut)

    def _sorted_beyond_steps(self, pool: list[int], draw: random.Random) -> list[Step]:
        """The order of runs that began before `data.order` was written down."""
        batch, accumulation = self.section.batch_size, self.section.accumulation
        window = WINDOW_STEPS * self.section.samples_per_step
        micro_batches: list[MicroBatch] = []
        for start in range(0, len(pool), window):
            by_length = sorted(pool[start : start + window], key=lambda index: self.lengths[index])
            chunk = [tuple(by_length[at : at + batch]) for at in range(0, len(by_length), batch)]
            draw.shuffle(chunk)
            micro_batches += chunk
        return [
            tuple(micro_batches[at : at + accumulation]) for at in range(0, len(micro_batches), accumulation)
        ]

    def step(self, step: int) -> Step:
        """The micro-batches of optimizer step `step` (counted from 1)."""
        epoch, within = divmod(step - 1, self.steps_per_epoch)
        return self.epoch(epoch)[within]


def _interleave(own: list[int], replayed: list[int]) -> list[int]:
    """`replayed` at even distances among `own`, so that every stretch has its share."""
    total = len(own) + len(replayed)
    places = {(index * total) // len(replayed) for index in range(len(replayed))}
    rest, extra = iter(own), iter(replayed)
    return [next(extra) if place in places else next(rest) for place in range(total)]
