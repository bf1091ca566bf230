"""How far a stage is, and what one optimizer step of it was."""

import math
from dataclasses import dataclass, field

from engine.runs.checkpoints import CheckpointMeta, Ended


@dataclass(kw_only=True)
class StageState:
    """How far a stage is. step: the optimizer step done last.

    skipped_steps: steps that the weights did not take, since somebody looked. reviewed_step: a step that is not finite
    and that somebody has looked at: it is skipped, and counts no more.
    """

    stage: str
    steps: int
    step: int = 0
    skipped_steps: int = 0
    reviewed_step: int = 0
    _losses: dict[int, float] = field(default_factory=dict, init=False)

    def validated(self, loss: float) -> None:
        """The weights of this step have that loss on the validation samples."""
        self._losses = {self.step: loss}

    def review(self, step: int) -> None:
        """Somebody has looked at a step that is not finite, and goes on: the count begins anew."""
        self.reviewed_step, self.skipped_steps = step, 0

    def meta(self, ended: Ended = "") -> CheckpointMeta:
        """What a checkpoint of now says of itself."""
        loss = self._losses.get(self.step)
        return CheckpointMeta(
            stage=self.stage,
            step=self.step,
            steps=self.steps,
            ended=ended,
            val_loss=None if loss is None or not math.isfinite(loss) else loss,
            skipped_steps=self.skipped_steps,
        )


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """One optimizer step. loss: mean per supervised token of all its micro-batches. seconds: wall time.

    supervised: tokens. padding: share of the positions that hold nothing. samples: how many.
    skip_reason: why the weights did not take the step, "" if they did.
    """

    step: int
    loss: float
    grad_norm: float
    learning_rate: float
    supervised: int
    padding: float
    samples: int
    seconds: float
    skip_reason: str = ""

    def scalars(self) -> dict[str, float]:
        return {
            "train/loss": self.loss,
            "train/lr": self.learning_rate,
            "train/grad_norm": self.grad_norm,
            "train/samples_per_second": self.samples / self.seconds,
            "train/supervised_tokens": float(self.supervised),
            "train/padding": self.padding,
        }
