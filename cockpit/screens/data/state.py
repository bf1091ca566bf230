"""What the Data screen shows of a run's curriculum, as immutable values."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.toolkit.graphics.film import Thumbnail
from cockpit.views.run_summary import RunSummary
from engine.data.curriculum import Sample


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the inventory. `verdict` is "" (nothing expected of it), "ok" or "bad"."""

    name: str
    found: str
    expected: str = ""
    verdict: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """How often a label is positive, as shares of the training and of the validation samples."""

    label: str
    train: float | None
    validation: float | None


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens a sample, image included, counted into bins of `bin` tokens: (bin number, samples).

    `reason` says why there are none.
    """

    limit: int = 0
    bin: int = 16
    counts: tuple[tuple[int, int], ...] = ()
    measured: int = 0
    total: int = 0
    longest: int = 0
    longest_id: str = ""
    over: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Films:
    """Whether the films are there (`looked` of `total`, `bytes` together) and, where asked for, decode.

    `with_test`: some of them belong to the test split alone, which no training reads.
    """

    total: int = 0
    looked: int = 0
    missing: tuple[str, ...] = ()
    decoding: bool = False
    decoded: int = 0
    damaged: tuple[str, ...] = ()
    bytes: int = 0
    with_test: bool = False


@dataclass(frozen=True, slots=True)
class DataState:
    """Everything read so far; `trouble` is why there is no curriculum to show."""

    summary: RunSummary
    facts: tuple[Fact, ...] = ()
    shares: tuple[Share, ...] = ()
    lengths: Lengths = Lengths()
    films: Films = Films()
    samples: tuple[Sample, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """Tokens of one sample: of its image, of the whole prompt with it, and of the answer."""

    image: int
    prompt: int
    answer: int


@dataclass(frozen=True, slots=True)
class DataView:
    """The screen: the overview, the browser of samples (`browsing`), or both where there is room (`roomy`).

    `part` is (stage, split), empty words for all.
    """

    state: DataState
    browsing: bool = False
    roomy: bool = False
    part: tuple[str, str] = ("", "")
    search: str = ""
    listed: tuple[Sample, ...] = ()
    selected: int = 0
    film: Thumbnail | str | None = None
    counted: Counted | None = None

    @property
    def shown(self) -> Sample | None:
        """The sample in the browser."""
        return self.listed[self.selected] if self.selected < len(self.listed) else None
