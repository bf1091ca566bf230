"""F1 of CheXpert labels and of ICD codes, each with the rules it was computed by."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.data.icd import category
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


def chexpert_f1(references: Sequence[Labels | None], generated: Sequence[Labels | None]) -> dict[str, Any]:
    """Micro and macro F1 over 14 and 5 labels, and each label on its own, by POLICY."""
    pairs = [
        (frozenset(positives(wanted)), frozenset(positives(given)))
        for wanted, given in zip(references, generated, strict=True)
    ]
    counts = {
        name: _total(count(wanted & {name}, given & {name}) for wanted, given in pairs) for name in LABELS
    }
    return {
        "policy": POLICY,
        "micro_f1_14": _total(counts.values()).f1,
        "macro_f1_14": sum(counts[name].f1 for name in LABELS) / len(LABELS),
        "micro_f1_5": _total(counts[name] for name in LABELS_5).f1,
        "macro_f1_5": sum(counts[name].f1 for name in LABELS_5) / len(LABELS_5),
        "per_label": {
            name: {"f1": c.f1, "precision": c.precision, "recall": c.recall, "support": c.tp + c.fn}
            for name, c in counts.items()
        },
    }


def icd_f1(
    references: Sequence[Collection[str]], generated: Sequence[Collection[str] | None]
) -> dict[str, float]:
    """Micro F1 over all samples' codes, in full and by category; an unreadable ICD line has no codes."""
    pairs = [(wanted, given or ()) for wanted, given in zip(references, generated, strict=True)]
    return {
        "micro_f1": _total(count(wanted, given) for wanted, given in pairs).f1,
        "micro_f1_category": _total(
            count([category(code) for code in wanted], [category(code) for code in given])
            for wanted, given in pairs
        ).f1,
    }


def sample_f1(reference: Collection[str], generated: Collection[str]) -> float:
    """F1 of one sample's sets; two empty sets agree completely."""
    return count(reference, generated).f1 if reference or generated else 1.0


def _total(parts: Iterable[Counts]) -> Counts:
    return sum(parts, Counts())


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
