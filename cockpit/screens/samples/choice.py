"""What is chosen on the Samples screen, and the list of cases that follows from it: pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from cockpit.screens.samples.state import SampleBook, SampleCase, Weights, Written
from cockpit.toolkit.graphics.film import PLAIN_VIEW, FilmView, Thumbnail
from engine.data.labels import LABELS

ORDERS = ("worst first", "best first", "by name")


@dataclass(frozen=True, slots=True)
class Choice:
    """`weights` None is the newest ones, `case` None the first of the list; empty words filter nothing."""

    weights: Weights | None = None
    case: tuple[str, str] | None = None
    stage: str = ""
    label: str = ""
    search: str = ""
    order: str = ORDERS[0]


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of the list: a case, and what the chosen weights wrote about it."""

    case: SampleCase
    written: Written

    @property
    def key(self) -> tuple[str, str]:
        return self.case.stage, self.case.case


@dataclass(frozen=True, slots=True)
class SamplesView:
    """All that is drawn. `total` counts cases without filters; `blanked`: held against the text without image."""

    book: SampleBook
    choice: Choice = Choice()
    listed: tuple[Listed, ...] = ()
    selected: int = 0
    total: int = 0
    film: Thumbnail | str | None = None
    film_open: bool = False
    look: FilmView = PLAIN_VIEW
    blanked: bool = False

    @property
    def shown(self) -> Listed | None:
        """The case on the screen."""
        return self.listed[self.selected] if self.listed else None

    @property
    def weights(self) -> Weights | None:
        """The weights whose texts are listed."""
        return weights_shown(self.book, self.choice)

    @property
    def blank_text(self) -> str | None:
        """What the shown weights write about the shown case with the image blanked."""
        return self.shown.case.blank_by(self.shown.written.weights) if self.shown else None


def weights_shown(book: SampleBook, choice: Choice) -> Weights | None:
    """The chosen weights while they are known, else the newest that wrote about the chosen stage."""
    known = [weights for stage, weights in book.writers if not choice.stage or stage == choice.stage]
    if choice.weights in known:
        return choice.weights
    return known[-1] if known else None


def written_about(book: SampleBook, choice: Choice) -> list[Listed]:
    """All cases that the shown weights wrote about."""
    weights = weights_shown(book, choice)
    if weights is None:
        return []
    return [Listed(case, written) for case in book.cases if (written := case.by(weights)) is not None]


def listed(book: SampleBook, choice: Choice) -> tuple[Listed, ...]:
    """The cases that fit the choice, in its order. What was not scored comes last."""
    return _arranged(written_about(book, choice), choice)


def _arranged(about: Iterable[Listed], choice: Choice) -> tuple[Listed, ...]:
    found = [one for one in about if _fits(one.case, one.written, choice)]
    if choice.order == ORDERS[2]:
        return tuple(sorted(found, key=lambda one: (one.case.case, one.case.stage)))
    best = choice.order == ORDERS[1]
    return tuple(sorted(found, key=lambda one: (_rank(one.written, best), one.case.case, one.case.stage)))


def view_of(book: SampleBook, choice: Choice, before: SamplesView | None = None) -> SamplesView:
    """The list with the chosen case selected; the first one where that is not listed.

    `before` lends its list where the choice is another case of the same one: walking a long list is quick.
    """
    if before and before.book.cases is book.cases and replace(before.choice, case=choice.case) == choice:
        rows, total = before.listed, before.total
    else:
        about = written_about(book, choice)
        rows, total = _arranged(about, choice), len(about)
    selected = next((index for index, one in enumerate(rows) if one.key == choice.case), 0)
    return SamplesView(book, choice, rows, selected, total)


def of_line(view: SamplesView, line: int) -> Choice:
    """The case of that line of the list, held at the ends."""
    if not view.listed:
        return view.choice
    index = min(max(line, 0), len(view.listed) - 1)
    return replace(view.choice, case=view.listed[index].key)


def walked(view: SamplesView, by: int) -> Choice | None:
    """The same case at the weights `by` places along the route; None at the end of it."""
    if view.shown is None:
        return None
    route = [written.weights for written in view.shown.case.written]
    index = route.index(view.shown.written.weights) + by
    if not 0 <= index < len(route):
        return None
    return replace(view.choice, case=view.shown.key, weights=route[index])


def label_counts(view: SamplesView) -> list[tuple[str, str]]:
    """(label, what the shown weights made of it) for every label that occurs."""
    hit: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    invented: Counter[str] = Counter()
    for one in listed(view.book, replace(view.choice, label="", search="")):
        wanted = {name for name, state in one.case.labels if state == 1}
        given = one.written.labels or frozenset()
        hit.update(wanted & given)
        missed.update(wanted - given)
        invented.update(given - wanted)
    return [
        (name, f"{hit[name]:,} hit, {missed[name]:,} missed, {invented[name]:,} invented")
        for name in LABELS
        if hit[name] + missed[name] + invented[name]
    ]


def _fits(case: SampleCase, written: Written, choice: Choice) -> bool:
    if choice.stage and case.stage != choice.stage:
        return False
    if choice.label:
        wanted = any(name == choice.label and state == 1 for name, state in case.labels)
        if not wanted and choice.label not in (written.labels or ()):
            return False
    if not choice.search:
        return True
    text = f"{case.case}\n{case.reference_text}\n{written.text}".casefold()
    return choice.search.casefold() in text


def _rank(written: Written, best_first: bool) -> tuple[bool, list[float]]:
    """By the score that speaks for it and the next one; what has none comes last."""
    ranked = [-score.goodness if best_first else score.goodness for score in written.scores[:2]]
    return not ranked, ranked
