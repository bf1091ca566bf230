"""F1 of CheXpert labels and of ICD codes: how often each was right, and what follows from the counts."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.data.labels import LABELS, LABELS_5, positives

Labels = Mapping[str, int | None]

POLICY = (
    "positive is 1; uncertain (-1) and blank count as negative (U-Zeros); "
    "an unreadable label line counts as no labels; "
    "F1 is 0 where neither side has a positive, and such labels stay in the macro average; "
    "14 labels include No Finding; 5 labels are " + ", ".join(LABELS_5)
)


@dataclass(frozen=True, slots=True)
class Counts:
    """True positives, false positives and false negatives."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def f1(self) -> float:
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def precision(self) -> float:
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        return _ratio(self.tp, self.tp + self.fn)


def count(reference: Collection[str], generated: Collection[str]) -> Counts:
    """What two sets share and where they differ."""
    wanted, given = frozenset(reference), frozenset(generated)
    return Counts(len(wanted & given), len(given - wanted), len(wanted - given))


def label_counts(
    references: Sequence[Labels | None], generated: Sequence[Labels | None]
) -> dict[str, Counts]:
    """Of each of the 14 labels over all samples, by POLICY; None is an unreadable line. Raises ValueError where the
    two have not the same length."""
    tp: Counter[str] = Counter()
    fp: Counter[str] = Counter()
    fn: Counter[str] = Counter()
    for reference, said in zip(references, generated, strict=True):
        wanted, given = set(positives(reference)), set(positives(said))
        tp.update(wanted & given)
        fp.update(given - wanted)
        fn.update(wanted - given)
    return {name: Counts(tp[name], fp[name], fn[name]) for name in LABELS}


def micro_f1(counts: Iterable[Counts]) -> float:
    """F1 of all counts together: every single decision weighs the same. 0 of none."""
    return sum(counts, Counts()).f1


def macro_f1(counts: Sequence[Counts]) -> float:
    """The mean of each one's F1: a rare label weighs as much as a common one. Raises ZeroDivisionError of none."""
    return sum(one.f1 for one in counts) / len(counts)


def per_label(counts: Mapping[str, Counts]) -> dict[str, dict[str, float]]:
    """Each label's F1, precision and recall, and how often it was wanted."""
    return {
        name: {"f1": one.f1, "precision": one.precision, "recall": one.recall, "support": one.tp + one.fn}
        for name, one in counts.items()
    }


def sample_f1(reference: Collection[str], generated: Collection[str]) -> float:
    """F1 of one sample's sets; two empty sets agree completely."""
    return count(reference, generated).f1 if reference or generated else 1.0


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
