"""F1 of CheXpert labels and of ICD codes, each with the rules it was computed by."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.data.icd import category
from engine.data.labels import DEFAULT_POLICY, LABELS, LABELS_5, positive_names

Labels = Mapping[str, int | None]

_UNCERTAIN = {
    "ignore": "positive is 1; the uncertain (-1) of the reference are left out, blank counts as negative (U-Ignore); ",
    "zeros": "positive is 1; uncertain (-1) and blank count as negative (U-Zeros); ",
    "ones": "positive is 1 or uncertain (-1); blank counts as negative (U-Ones); ",
}
_RULES = (
    "an unreadable label line counts as no labels; "
    "F1 is 0 where neither side has a positive, and such labels stay in the macro average; "
    "14 labels include No Finding; 5 labels are " + ", ".join(LABELS_5)
)


@dataclass(frozen=True, slots=True)
class Counts:
    """True positives, false positives and false negatives."""

    hits: int = 0
    extra: int = 0
    missed: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.hits + other.hits, self.extra + other.extra, self.missed + other.missed)

    @property
    def f1(self) -> float:
        return _ratio(2 * self.hits, 2 * self.hits + self.extra + self.missed)

    @property
    def precision(self) -> float:
        return _ratio(self.hits, self.hits + self.extra)

    @property
    def recall(self) -> float:
        return _ratio(self.hits, self.hits + self.missed)


def policy_text(policy: str = DEFAULT_POLICY) -> str:
    """The rules of `chexpert_f1` in words, the policy for uncertain labels among them."""
    return _UNCERTAIN[policy] + _RULES


def positives(labels: Labels | None, policy: str = DEFAULT_POLICY) -> frozenset[str]:
    """The names that count as positive under `policy`; None, an unreadable line, has none."""
    return frozenset() if labels is None else frozenset(positive_names(labels, policy))


def judged(labels: Labels | None, policy: str = DEFAULT_POLICY) -> frozenset[str]:
    """The names that are scored: under "ignore" not those that the reference leaves uncertain."""
    unsure = {name for name, value in (labels or {}).items() if value == -1} if policy == "ignore" else set()
    return frozenset(LABELS) - unsure


def count(reference: Collection[str], generated: Collection[str]) -> Counts:
    """What two sets share and where they differ."""
    wanted, given = frozenset(reference), frozenset(generated)
    return Counts(len(wanted & given), len(given - wanted), len(wanted - given))


def chexpert_f1(
    references: Sequence[Labels | None], generated: Sequence[Labels | None], policy: str = DEFAULT_POLICY
) -> dict[str, Any]:
    """Micro and macro F1 over 14 and 5 labels, and each label on its own, by the policy for uncertain labels."""
    pairs = [
        (positives(wanted, policy), positives(given, policy) & judged(wanted, policy))
        for wanted, given in zip(references, generated, strict=True)
    ]
    counts = {
        name: _total(count(wanted & {name}, given & {name}) for wanted, given in pairs) for name in LABELS
    }
    return {
        "policy": policy_text(policy),
        "micro_f1_14": _total(counts.values()).f1,
        "macro_f1_14": sum(counts[name].f1 for name in LABELS) / len(LABELS),
        "micro_f1_5": _total(counts[name] for name in LABELS_5).f1,
        "macro_f1_5": sum(counts[name].f1 for name in LABELS_5) / len(LABELS_5),
        "per_label": {
            name: {"f1": c.f1, "precision": c.precision, "recall": c.recall, "support": c.hits + c.missed}
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
