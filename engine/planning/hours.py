"""Time by stage: every shape that the schedule brings, each for as long as its operators take."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from engine.cadence import Cadence
from engine.planning.step import Shape
from engine.planning.workload import StageWork

#: Seconds of one micro-batch of that shape.
SecondsOf = Callable[[Shape], float]


@dataclass(frozen=True, kw_only=True)
class StageTime:
    """Seconds of a whole stage, and operations its training steps compute."""

    training: float
    validation: float
    generation: float
    flops: float

    @property
    def total(self) -> float:
        return self.training + self.validation + self.generation


def stage_time(
    work: StageWork, step: SecondsOf, validate: SecondsOf, answer: SecondsOf, flops: SecondsOf
) -> StageTime:
    training = _sum(work.micro_batches, step)
    validations = _times(work.validations, work.steps, training) + 1
    samplings = _times(work.samplings, work.steps, training) + 1
    return StageTime(
        training=training,
        validation=validations * _sum(work.validation, validate),
        generation=samplings * _sum(work.cases, answer) + _sum(work.prompts, answer),
        flops=_sum(work.micro_batches, flops),
    )


def quadratic(points: dict[int, float], samples: int) -> SecondsOf:
    """A function of shapes through values at up to three lengths of batches of `samples` rows.

    Products are linear in the length and attention is quadratic: three lengths determine it.
    """

    def at(shape: Shape) -> float:
        value = 0.0
        for length, known in points.items():
            weight = 1.0
            for other in points:
                if other != length:
                    weight *= (shape.length - other) / (length - other)
            value += known * weight
        return max(0.0, value) * shape.samples / samples

    return at


def _times(cadence: Cadence, steps: int, seconds: float) -> int:
    if cadence.steps:
        return steps // cadence.steps
    return int(seconds // cadence.seconds) if cadence.seconds else 0


def _sum(shapes: Counter[Shape], seconds: SecondsOf) -> float:
    return sum(count * seconds(shape) for shape, count in shapes.items())
