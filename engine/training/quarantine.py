"""Films that fail after the first step: which ones, since when, and what takes their place.

A film that was lost once stays lost, even if it can be read again: a resumed run has to train on what the unbroken one
trained on. So a loss is stored with the step it happened at, and counts from that step on.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.data.curriculum import Sample
from engine.errors import UserError
from engine.seeds import seed_for
from engine.stages import STAGE_NAMES

#: Other films looked for before a missing one is blamed, and not the disk that all of them lie on.
WITNESSES = 20


class LostFilm(UserError):
    """The film of `sample` cannot be read."""

    def __init__(self, sample: Sample, reason: str) -> None:
        super().__init__(reason)
        self.sample = sample


class FilmsFail(Exception):
    """More films fail than the run bears, or all of them. The message is for the user's eyes."""


@dataclass(frozen=True)
class Loss:
    """A film that cannot be read since `step` of `stage`."""

    film: str
    stage: str
    step: int

    @property
    def place(self) -> tuple[int, int]:
        return STAGE_NAMES.index(self.stage), self.step


@dataclass(kw_only=True)
class Quarantine:
    """The films a run has lost.

    limit: how many it may lose. tell: called with every new loss, the sample and a line for the user; it must store
    the loss before it returns.
    """

    limit: int = 0
    root: Path | None = None
    tell: Callable[[Loss, Sample, str], None] = lambda loss, sample, line: None
    _lost: dict[str, Loss] = field(default_factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._lost)

    def remember(self, losses: Iterable[Loss]) -> None:
        """Take in what earlier attempts stored; of two losses of a film the earlier one counts."""
        for loss in losses:
            known = self._lost.get(loss.film, loss)
            self._lost[loss.film] = min(known, loss, key=lambda one: one.place)

    def holds(self, sample: Sample, stage: str, step: int) -> bool:
        """Whether the sample's film counts as lost at `step` of `stage`."""
        loss = self._lost.get(sample.image)
        return loss is not None and loss.place <= Loss(sample.image, stage, step).place

    def films(self) -> set[str]:
        return set(self._lost)

    def add(self, lost: LostFilm, stage: str, step: int, others: Sequence[Sample]) -> None:
        """Count a film as lost from `step` of `stage` on. Raises `FilmsFail` where that is more than the run bears.

        others: samples whose films tell whether it is this one that has gone, or the disk.
        """
        film = lost.sample.image
        if self.root and not _any_left(self.root, film, others):
            raise FilmsFail(f"{self.root}: no film can be found any more; bring the disk back, then continue")
        if film not in self._lost and len(self._lost) >= self.limit:
            raise FilmsFail(
                f"{lost} ({len(self._lost)} films failed before it, and tolerance.lost_films allows {self.limit}): "
                "fix it, then continue"
            )
        loss = Loss(film, stage, step)
        self.remember([loss])
        self.tell(
            loss, lost.sample, f"{lost}; set aside, {len(self._lost)} of {self.limit} films a run may lose"
        )


def substitutes(seed: int, stage: str, epoch: int, sample: Sample, others: Sequence[Sample]) -> list[int]:
    """Indices of `others` in the order in which they are asked to take the place of `sample`."""
    # what a draw is called is part of it: under another word, a run from before would not end with the same bytes
    draw = random.Random(seed_for(seed, stage, "stand-in", epoch, sample.id))
    return draw.sample(range(len(others)), len(others))


def _any_left(root: Path, film: str, others: Sequence[Sample]) -> bool:
    witnesses = sorted({one.image for one in others} - {film})[:WITNESSES]
    return not witnesses or any((root / other).exists() for other in witnesses)
