"""What the Samples screen shows of a run: cases, and what was written about each at every checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cockpit.views.run_summary import RunSummary

Weights = tuple[str, int]
"""(stage, step) of the weights that wrote a text; sorts along the route."""


@dataclass(frozen=True, slots=True)
class Score:
    """`goodness` is the value turned so that more is better."""

    title: str
    value: float
    goodness: float


@dataclass(frozen=True, slots=True)
class Written:
    """One generated text. `labels` are positive names and `codes` dotted; None where the line is unreadable.

    `scores` are the case's own, what tells most first.
    """

    weights: Weights
    text: str
    prose: str
    labels: frozenset[str] | None
    codes: tuple[str, ...] | None
    scores: tuple[Score, ...] = ()

    @property
    def score(self) -> float | None:
        """The one that speaks for it: the F1 of its labels or codes, if there is one; None where nothing was scored."""
        return self.scores[0].value if self.scores else None


@dataclass(frozen=True, slots=True)
class SampleCase:
    """A validation sample and all that was written about it, along the route.

    `labels` are (name, state) of all 14, empty for a stage without a label line. `blank` is what was written
    about it with the image blanked.
    """

    case: str
    stage: str
    image: str
    prompt: str
    reference: str
    reference_text: str
    labels: tuple[tuple[str, int | None], ...]
    codes: tuple[str, ...]
    written: tuple[Written, ...]
    blank: tuple[tuple[Weights, str], ...] = ()

    def by(self, weights: Weights) -> Written | None:
        """What these weights wrote about it."""
        return next((written for written in self.written if written.weights == weights), None)

    def blank_by(self, weights: Weights) -> str | None:
        """What these weights wrote about it with the image blanked."""
        return next((text for known, text in self.blank if known == weights), None)


@dataclass(frozen=True, slots=True)
class SampleBook:
    """Everything the screen can show. `writers` are (stage of the cases, weights that wrote about them)."""

    summary: RunSummary
    cases: tuple[SampleCase, ...] = ()
    writers: tuple[tuple[str, Weights], ...] = ()


def writers_of(cases: Iterable[SampleCase]) -> tuple[tuple[str, Weights], ...]:
    """Along the route."""
    found = {(case.stage, written.weights) for case in cases for written in case.written}
    return tuple(sorted(found, key=lambda one: (one[1], one[0])))
