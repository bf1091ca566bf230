"""Reads the generated samples of a run. Lives on the screen's thread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from cockpit.screens.samples.state import SampleBook, SampleCase, Score, Weights, Written, writers_of
from cockpit.toolkit.graphics.film import Thumbnail
from cockpit.views.films import film_or_reason, image_root_of, open_film
from cockpit.views.run_summary import RunSummary, summary_of
from engine.data.answers import prose
from engine.data.icd import dotted
from engine.data.labels import positives
from engine.metrics.registry import own_scores
from engine.runs.layout import RunPaths, parse_checkpoint_name
from engine.runs.store.opening import NotReady, RunReader, open_reader, status_of
from engine.runs.store.rows import GeneratedSample

SHOWN = ("case", "evaluation")
BLANK = "baseline:blank_image"
FILM_SIDE = 640
"""Pixels of a film's longer side: enough to zoom into on a large terminal."""


class SamplesSource:
    """Rereads the samples only when some may have been written."""

    def __init__(self, paths: RunPaths, pictures: bool = True) -> None:
        self._paths = paths
        self._pictures = pictures
        self._reader: RunReader | None = None
        self._token: object = None
        self._cases: tuple[SampleCase, ...] = ()
        self._writers: tuple[tuple[str, Weights], ...] = ()
        self._blank_read = False
        self._image_root: Path | None = None

    def read(self) -> SampleBook:
        if self._reader is None:
            try:
                self._reader = open_reader(self._paths)
            except NotReady:
                return SampleBook(summary_of(status_of(self._paths)))
        status = self._reader.status()
        token = self._samples_token(self._reader, status.state)
        if token != self._token:
            rows = (row for purpose in SHOWN for row in self._reader.samples(purpose=purpose))
            self._cases = cases_of(rows)
            self._writers = writers_of(self._cases)
            self._token, self._blank_read = token, False
        elif not self._blank_read:  # one look later: what was written with the image is seen sooner
            self._cases = with_blanks(self._cases, self._reader.samples(purpose=BLANK))
            self._blank_read = True
        return SampleBook(summary_of(status), self._cases, self._writers)

    def film(self, name: str) -> Thumbnail | str | None:
        """The case's film, or why it cannot be shown; None where none is wanted."""
        if not self._pictures:
            return None
        return film_or_reason(self._root(), name, FILM_SIDE)

    def open_film(self, name: str) -> str:
        """Hand the case's film to the desktop; a sentence about it. UserError if it is no picture."""
        return open_film(self._root(), name)

    def _root(self) -> Path:
        """Where the films lie, read once. UserError if it cannot be told."""
        if self._image_root is None:
            self._image_root = image_root_of(self._paths)
        return self._image_root

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    @staticmethod
    def _samples_token(reader: RunReader, state: str) -> object:
        """Changes whenever samples may have been written.

        A training engine writes every second, but tells of its samples by an event. An evaluation tells nothing.
        """
        if state in ("training", "holding", "loading", "starting", "preparing"):
            return [event.id for event in reader.last_events(1)]
        return reader.change_token()


@dataclass
class _Gathered:
    row: GeneratedSample
    written: dict[Weights, Written] = field(default_factory=dict)


def cases_of(rows: Iterable[GeneratedSample]) -> tuple[SampleCase, ...]:
    """Stored samples gathered by case. Where weights wrote twice about a case, the later row counts."""
    gathered: dict[tuple[str, str], _Gathered] = {}
    for row in rows:
        key = (row.stage, row.case)
        gathered.setdefault(key, _Gathered(row)).written[weights_of(row)] = _written(row)
    return tuple(_case(stage, name, entry) for (stage, name), entry in sorted(gathered.items()))


def with_blanks(cases: tuple[SampleCase, ...], rows: Iterable[GeneratedSample]) -> tuple[SampleCase, ...]:
    """The cases with what was written about them with the image blanked; the same ones if nothing was."""
    texts: dict[tuple[str, str], dict[Weights, str]] = {}
    for row in rows:
        known = texts.setdefault((row.stage, row.case), {})
        known[weights_of(row)] = prose(row.generated, row.stage)
    if not texts:
        return cases
    return tuple(
        replace(case, blank=tuple(sorted(texts.get((case.stage, case.case), {}).items()))) for case in cases
    )


def weights_of(row: GeneratedSample) -> Weights:
    """The weights that wrote the row: its checkpoint's, else those of its own stage and step."""
    return parse_checkpoint_name(row.checkpoint or "") or (row.stage, row.step)


def _written(row: GeneratedSample) -> Written:
    return Written(
        weights=weights_of(row),
        text=row.generated,
        prose=prose(row.generated, row.stage),
        labels=None if row.labels is None else frozenset(positives(row.labels)),
        codes=None if row.icd is None else tuple(dotted(code) for code in row.icd),
        scores=tuple(
            Score(own.title, value, metric.goodness(value)) for metric, own, value in own_scores(row.scores)
        ),
    )


def _case(stage: str, name: str, entry: _Gathered) -> SampleCase:
    row = entry.row
    return SampleCase(
        case=name,
        stage=stage,
        image=row.image,
        prompt=row.prompt,
        reference=prose(row.reference, stage),
        reference_text=row.reference,
        labels=tuple((row.labels_reference or {}).items()),
        codes=tuple(dotted(code) for code in row.icd_reference or ()),
        written=tuple(entry.written[weights] for weights in sorted(entry.written)),
    )


def empty_book(run: str) -> SampleBook:
    """Before the first look."""
    return SampleBook(RunSummary(run))
