"""Reads a run's curriculum, its films and its token lengths. Lives on the screen's thread.

A curriculum of ten thousand samples takes a while: each look does a slice of the work and shows what is known.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cockpit.screens.data import facts as data_facts
from cockpit.screens.data.state import Counted, DataState, Fact, Films, Lengths, Share
from cockpit.toolkit.background import Background
from cockpit.toolkit.graphics.film import Thumbnail
from cockpit.views.films import film_or_reason, open_film
from cockpit.views.run_summary import summary_of
from engine.data.curriculum import Sample, read_curriculum
from engine.errors import UserError
from engine.runs.layout import RunPaths
from engine.runs.store.opening import status_of

if TYPE_CHECKING:
    from engine.data.prompt import PromptEncoder

SLICE_SECONDS = 0.15
"""Of work in one look, so that what is known is shown soon."""
PAUSE_SECONDS = 0.1
"""Between two slices: an engine may want the processor."""
STATUS_SECONDS = 1.0
BIN = 16
FILM_SIDE = 640


class DataSource:
    """Starts anew when the curriculum's file is another one."""

    def __init__(
        self, paths: RunPaths, pictures: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._paths = paths
        self._pictures = pictures
        self._clock = clock
        self._stamp: object = None
        self._config: dict[str, Any] = {}
        self._encoder: PromptEncoder | None = None
        self._samples: tuple[Sample, ...] = ()
        self._facts: tuple[Fact, ...] = ()
        self._shares: tuple[Share, ...] = ()
        self._lengths = Lengths()
        self._bins: Counter[int] = Counter()
        self._images: list[str] = []
        self._films = Films()
        self._trouble = ""
        self._summary_at = float("-inf")
        self._summary = summary_of(status_of(paths))

    @property
    def unfinished(self) -> bool:
        """Whether the next look will know more."""
        lengths, films = self._lengths, self._films
        measuring = not lengths.reason and lengths.measured < lengths.total
        decoding = films.decoding and films.decoded < films.total
        return measuring or films.looked < films.total or decoding

    def read(self) -> DataState:
        now = self._clock()
        if now - self._summary_at >= STATUS_SECONDS:
            self._summary, self._summary_at = summary_of(status_of(self._paths)), now
        self._begin()
        self._look_for_films(now + SLICE_SECONDS)
        self._measure(now + SLICE_SECONDS)
        self._decode(now + SLICE_SECONDS)
        return DataState(
            self._summary,
            self._facts,
            self._shares,
            self._lengths,
            self._films,
            self._samples,
            self._trouble,
        )

    def close(self) -> None:
        """Nothing is kept open."""

    # --- what keys ask for ------------------------------------------------------------------------------

    def decode_films(self) -> None:
        """Decode every film from now on, and tell which cannot be."""
        self._films = replace(self._films, decoding=True, decoded=0, damaged=())

    def film(self, sample: Sample) -> Thumbnail | str | None:
        """The sample's film, or why it cannot be shown; None where none is wanted."""
        if not self._pictures:
            return None
        return film_or_reason(self._image_root, sample.image, FILM_SIDE)

    def counted(self, sample: Sample) -> Counted | None:
        """The sample's tokens, if there is a tokenizer."""
        if self._encoder is None:
            return None
        from cockpit.screens.data.token_counts import counted

        return counted(self._encoder, sample.prompt, sample.target)

    def open_film(self, sample: Sample) -> str:
        """Hand the sample's film to the desktop; a sentence about it. UserError if it is no picture."""
        return open_film(self._image_root, sample.image)

    # --- inside -----------------------------------------------------------------------------------------

    @property
    def _image_root(self) -> Path:
        return Path(self._config["data"]["image_root"])

    def _begin(self) -> None:
        """Read the curriculum if its file, or the configuration, is another than before."""
        try:
            config = _config_of(self._paths)
            curriculum = Path(config["data"]["curriculum"])
            about = curriculum.stat()
            stamp = (curriculum, about.st_mtime_ns, about.st_size)
        except FileNotFoundError as error:
            self._give_up(f"no curriculum yet: {error.filename} is not there")
            return
        except (KeyError, TypeError):
            self._give_up(f"{self._paths.config}: names no curriculum")
            return
        except UserError as error:
            self._give_up(str(error))
            return
        except OSError as error:
            self._give_up(f"{error.filename}: {error.strerror}")
            return
        if stamp == self._stamp:
            return
        self._config = config
        try:
            # The record stands in the prompt word for word; kept twice it would be most of the memory.
            samples = tuple(replace(sample, ehr=None) for sample in read_curriculum(curriculum))
        except UserError as error:
            self._give_up(str(error))
            return
        self._take(config, samples, curriculum, about.st_size)
        self._stamp = stamp

    def _take(self, config: dict[str, Any], samples: tuple[Sample, ...], curriculum: Path, size: int) -> None:
        data = config["data"]
        self._samples, self._trouble = samples, ""
        self._facts = (
            Fact("curriculum", f"{size / 1e6:,.1f} MB", detail=curriculum.name),
            *data_facts.inventory(samples, data.get("expected") or {}),
        )
        self._shares = data_facts.prevalences(samples)
        self._images = sorted({sample.image for sample in samples})
        read = data_facts.images_read(samples)
        self._films = Films(total=len(self._images), with_test=len(read) < len(self._images))
        self._bins = Counter()
        self._lengths = Lengths(limit=int(data.get("max_length") or 0), bin=BIN, total=len(samples))
        try:
            self._encoder = _encoder_of(config)
        except UserError as error:
            self._encoder = None
            self._lengths = replace(self._lengths, reason=str(error))

    def _give_up(self, why: str) -> None:
        self._stamp = None
        self._samples, self._facts, self._shares = (), (), ()
        self._lengths, self._films = Lengths(), Films()
        self._trouble = why

    def _look_for_films(self, until: float) -> None:
        films = self._films
        missing = list(films.missing)
        looked, size = films.looked, films.bytes
        while looked < films.total and (self._clock() < until or looked == films.looked):
            about = _file_size(self._image_root / self._images[looked])
            if about is None:
                missing.append(self._images[looked])
            looked, size = looked + 1, size + (about or 0)
        self._films = replace(films, looked=looked, bytes=size, missing=tuple(missing))

    def _measure(self, until: float) -> None:
        if self._encoder is None:
            return
        lengths = self._lengths
        measured, longest, longest_id, over = (
            lengths.measured,
            lengths.longest,
            lengths.longest_id,
            lengths.over,
        )
        while measured < lengths.total and self._clock() < until:
            sample = self._samples[measured]
            tokens = self.counted(sample)
            assert tokens is not None
            length = tokens.prompt + tokens.answer
            self._bins[length // BIN] += 1
            if length > longest:
                longest, longest_id = length, sample.id
            over += length > lengths.limit > 0
            measured += 1
        if measured != lengths.measured:
            counts = tuple(sorted(self._bins.items()))
            self._lengths = replace(
                lengths, counts=counts, measured=measured, longest=longest, longest_id=longest_id, over=over
            )

    def _decode(self, until: float) -> None:
        films = self._films
        if not films.decoding:
            return
        from engine.data.images import open_image

        damaged, decoded = list(films.damaged), films.decoded
        while decoded < films.total and (self._clock() < until or decoded == films.decoded):
            name = self._images[decoded]
            try:
                open_image(self._image_root, name)
            except UserError as error:
                damaged.append(f"{name}: {error}")
            decoded += 1
        self._films = replace(films, decoded=decoded, damaged=tuple(damaged))


class DataBackground(Background[DataSource]):
    """Looks again soon while there is work left."""

    _unfinished = False

    def look(self, source: DataSource) -> None:
        super().look(source)
        self._unfinished = source.unfinished

    def beat(self) -> float:
        return min(PAUSE_SECONDS, super().beat()) if self._unfinished else super().beat()


def _file_size(path: Path) -> int | None:
    """Bytes of a file; None where there is none."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def _config_of(paths: RunPaths) -> dict[str, Any]:
    from engine.files.yaml_file import read_yaml

    config = read_yaml(paths.config)
    if not isinstance(config, dict):
        raise UserError(f"{paths.config}: names no curriculum")
    return config


def _encoder_of(config: dict[str, Any]) -> PromptEncoder:
    from cockpit.screens.data.token_counts import encoder_of
    from engine.config import BUNDLED_BASE

    base = str((config.get("model") or {}).get("base") or "bundled")
    return encoder_of(BUNDLED_BASE if base == "bundled" else Path(base))
