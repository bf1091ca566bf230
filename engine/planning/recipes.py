"""Which recipes fit: micro-batch and accumulation, precision, activation checkpointing, and why others do not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.stages import STAGE_NAMES
from engine.words.sizes import in_memory


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One way to train with the same samples a step.

    tokens: the budget that cuts a step's samples, None where micro_batch does. budgeted: the configuration has one.
    peak_bytes: at the run's fullest moment. limit: bytes the device offers, None where unknown. seconds_per_sample: at
    the longest length, None where the speed is unknown. chosen: it is the configuration's own.
    """

    micro_batch: int
    accumulation: int
    tokens: int | None
    budgeted: bool
    precision: str
    activation_checkpointing: bool
    peak_bytes: int
    limit: int | None
    seconds_per_sample: float | None
    chosen: bool

    @property
    def fits(self) -> bool | None:
        return None if self.limit is None else self.peak_bytes <= self.limit

    @property
    def why(self) -> str:
        """What stands against it, in words; empty where nothing is known to."""
        if self.limit is None or self.fits:
            return ""
        return f"{in_memory(self.peak_bytes - self.limit)} too much"

    @property
    def settings(self) -> list[str]:
        """The same as `--set` wants it."""
        words = [f"model.precision={self.precision}"]
        words.append(f"model.activation_checkpointing={str(self.activation_checkpointing).lower()}")
        for stage in STAGE_NAMES:
            if self.tokens is None:
                words.append(f"stages.{stage}.batch_size={self.micro_batch}")
                words.append(f"stages.{stage}.accumulation={self.accumulation}")
            if self.budgeted:
                words.append(f"stages.{stage}.tokens_per_micro_batch={self.tokens or 'null'}")
        return words


def best(found: Sequence[Recipe]) -> Recipe | None:
    """What fits and changes least: the precision first, then without recomputing, then the largest micro-batch."""
    fitting = [one for one in found if one.fits]
    precision = next(one.precision for one in found if one.chosen)
    return max(
        fitting,
        key=lambda one: (one.precision == precision, not one.activation_checkpointing, one.micro_batch),
        default=None,
    )


def divisions(samples: int) -> Iterator[tuple[int, int]]:
    """Micro-batch and accumulation whose product is `samples`, the largest micro-batch first."""
    for micro in range(samples, 0, -1):
        if samples % micro == 0:
            yield micro, samples // micro
