"""What training.log tells of an engine's life: the events that it stores, and where it is every few seconds."""

import logging
import time
from collections.abc import Callable

from engine.words.printable import one_line

log = logging.getLogger("engine")

STEP_SECONDS = 10.0
"""Between two lines about steps: a night is a few thousand of them."""
_LEVELS = {"info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


class TrainingLog:
    """Lines for the log of the process; only an engine's own ends in training.log."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told = float("-inf")

    def event(
        self, kind: str, name: str | None, message: str, level: str, stage: str | None, step: int | None
    ) -> None:
        """Something happened. What ends it badly the engine logs itself, with a traceback."""
        if kind == "error" or name == "failed":
            return
        if kind == "state":
            self._told = float("-inf")
            message = f"{name}: {message}" if message else f"{name}"
        where = "" if stage is None or step is None else f"{stage} step {step}: "
        log.log(_LEVELS[level], "%s", one_line(where + message))

    def step(
        self,
        stage: str,
        step: int,
        steps: int | None,
        loss: float,
        samples_per_second: float | None,
        eta_seconds: float | None,
    ) -> None:
        """A step was done; told if the last time was long enough ago."""
        now = self._clock()
        if now - self._told < STEP_SECONDS:
            return
        self._told = now
        parts = [f"{stage} step {step}" + (f"/{steps}" if steps is not None else "")]
        parts.append(f"raw loss {loss:.3f}")
        parts += [f"{samples_per_second:.1f} samples/s"] if samples_per_second is not None else []
        parts += [f"{eta_seconds / 60:.0f} min left"] if eta_seconds is not None else []
        log.info("%s", "   ".join(parts))
