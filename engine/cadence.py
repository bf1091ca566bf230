"""How often something happens, in words: "200 steps", "10 minutes", "stage end"."""

import re
from dataclasses import dataclass

#: Seconds in a unit; 0 for steps.
_UNITS = {"step": 0.0, "steps": 0.0}
_UNITS |= {"s": 1.0, "second": 1.0, "seconds": 1.0, "min": 60.0, "minute": 60.0, "minutes": 60.0}
_UNITS |= {"h": 3600.0, "hour": 3600.0, "hours": 3600.0}


@dataclass(frozen=True)
class Cadence:
    """Exactly one of `steps` and `seconds` is set; neither means at the stage's end only.

    Only cadences in steps make two runs alike to the bit: the clock is no part of the seed.
    """

    steps: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, words: str) -> "Cadence":
        """Raises `ValueError` with the ways to say it."""
        if words.strip() == "stage end":
            return cls()
        match = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,12})?)\s*([a-z]+)\s*", words)
        if not match or match[2] not in _UNITS or float(match[1]) <= 0:
            raise ValueError(f'cannot read {words!r}; say "200 steps", "10 minutes" or "stage end"')
        amount, unit = float(match[1]), match[2]
        if _UNITS[unit]:
            return cls(seconds=amount * _UNITS[unit])
        if amount != int(amount):
            raise ValueError(f"{words!r}: steps are whole")
        return cls(steps=int(amount))

    def due(self, step: int, seconds_since_last: float) -> bool:
        """Whether it is time after optimizer step `step` of a stage."""
        if self.steps is not None:
            return step % self.steps == 0
        return self.seconds is not None and seconds_since_last >= self.seconds
