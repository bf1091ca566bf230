"""When validation, cases and checkpoints of a stage are due."""

import time

from engine.cadence import Cadence
from engine.config import CadenceSection


class Timetable:
    """The cadences of `validation`, `sample` and `checkpoint`; those in time count from when each was done last."""

    def __init__(self, section: CadenceSection) -> None:
        self._cadences = {
            "validation": Cadence.parse(section.validation),
            "sample": Cadence.parse(section.sample),
            "checkpoint": Cadence.parse(section.checkpoint),
        }
        self._last = dict.fromkeys(self._cadences, time.monotonic())

    def due(self, name: str, step: int) -> bool:
        """Whether it is time after optimizer step `step`."""
        return self._cadences[name].due(step, time.monotonic() - self._last[name])

    def done(self, name: str) -> None:
        self._last[name] = time.monotonic()

    def times_ahead(self, name: str, step: int, steps: int, seconds: float) -> float:
        """How often it is due in the `steps` after `step`, which take so many seconds."""
        return times_ahead(self._cadences[name], step, steps, seconds)


def times_ahead(cadence: Cadence, step: int, steps: int, seconds: float) -> float:
    """How often something is due in the `steps` after `step`, which take so many seconds."""
    if cadence.steps is not None:
        return (step + steps - 1) // cadence.steps - max(0, step - 1) // cadence.steps
    return seconds / cadence.seconds if cadence.seconds else 0.0
