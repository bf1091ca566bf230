"""What a stage does at which step: order, micro-batches and learning rate, all pure functions."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from engine.config import StageSection
from engine.seeds import seed_for

#: Steps' worth of samples that are sorted by length together: enough to pad little, few enough to stay random.
WINDOW_STEPS = 12

MicroBatch = tuple[int, ...]  # indices into the stage's pool
Step = tuple[MicroBatch, ...]


@dataclass(frozen=True, kw_only=True)
class StageSchedule:
    """The steps of one stage.

    lengths: tokens of every sample of the pool: the stage's own samples first, then those of earlier stages that may
    be replayed. own: how many of the pool are the stage's own.
    """

    seed: int
    stage: str
    section: StageSection
    lengths: Sequence[int]
    own: int

    @property
    def replayed(self) -> int:
        """Samples of earlier stages an epoch takes."""
        return min(len(self.lengths) - self.own, round(self.own * self.section.replay))

    @property
    def samples_per_epoch(self) -> int:
        return self.own + self.replayed

    @property
    def steps_per_epoch(self) -> int:
        micro_batches = math.ceil(self.samples_per_epoch / self.section.batch_size)
        return math.ceil(micro_batches / self.section.accumulation)

    @property
    def steps(self) -> int:
        return self.section.epochs * self.steps_per_epoch

    def epoch_of(self, step: int) -> float:
        """Epochs done after optimizer step `step` (counted from 1)."""
        return step / self.steps_per_epoch

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then a cosine to `final`. `step` counts from 1."""
        peak, warmup = self.section.learning_rate, round(self.section.warmup * self.steps)
        if step <= warmup:
            return peak * step / warmup
        progress = (step - warmup) / max(1, self.steps - warmup)
        floor = self.section.final
        return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))

    def epoch(self, epoch: int) -> list[Step]:
        """The steps of epoch `epoch` (counted from 0): every own sample once, replayed ones spread evenly."""
        draw = random.Random(seed_for(self.seed, self.stage, "order", epoch))
        pool = list(range(self.own))
        draw.shuffle(pool)
        if self.replayed:
            pool = _interleave(pool, draw.sample(range(self.own, len(self.lengths)), self.replayed))
        batch = self.section.batch_size
        window = WINDOW_STEPS * batch * self.section.accumulation
        micro_batches: list[MicroBatch] = []
        for start in range(0, len(pool), window):
            by_length = sorted(pool[start : start + window], key=lambda index: self.lengths[index])
            chunk = [tuple(by_length[at : at + batch]) for at in range(0, len(by_length), batch)]
            draw.shuffle(chunk)
            micro_batches += chunk
        accumulation = self.section.accumulation
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
