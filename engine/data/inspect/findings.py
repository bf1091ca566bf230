"""What an inspection has found: one entry a kind, with how often and where first."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: By kind: how grave it is, and what it means.
KINDS: Mapping[str, tuple[str, str]] = {
    "overlap-patients": ("fail", "patients in more than one split"),
    "overlap-studies": ("fail", "studies in more than one split"),
    "overlap-images": ("fail", "films in more than one split"),
    "leak-column": ("fail", "the record holds a column that is known only after the film"),
    "leak-time": ("fail", "the record holds a value from after the film"),
    "leak-code": ("fail", "the prompt holds a code that is asked for"),
    "leak-title": ("fail", "the prompt holds the title of a code that is asked for, and not as history"),
    "leak-report": ("fail", "the prompt holds a sentence of the answer"),
    "leak-labels": ("fail", "the prompt holds the label line or the ICD line"),
    "leak-outcome": ("fail", "the prompt tells how the stay ended"),
    "times-unchecked": ("warn", "the record holds times, but not when the film was taken"),
    "label-line": ("fail", "the label line is not what the labels say, under any policy for uncertain ones"),
    "no-finding-claimed": ("fail", "the label line says No Finding, and the label itself is not 1"),
    "no-finding-beside": ("warn", "No Finding is 1 beside a finding that is 1"),
    "icd-line": ("fail", "the ICD line holds other codes than the sample"),
    "no-codes": ("warn", "a stage B sample without codes"),
    "labels-against-text": ("warn", "the labels contradict what the labeler reads in the answer"),
    "blank-as-text": ("fail", "a missing value is written out (nan, None, NULL, <NA>)"),
    "placeholder": ("fail", "a placeholder was never filled in"),
    "removed-information": ("info", "the answer holds ___ where information was removed"),
    "no-text": ("fail", "an answer of less than two words beside its last line"),
    "refers-elsewhere": ("warn", "the answer is only a pointer (as above, see findings)"),
    "duplicate": ("warn", "the same film, prompt and answer as an earlier sample"),
    "image-missing": ("fail", "the film cannot be opened"),
    "image-black": ("fail", "the film is nearly black or nearly even"),
    "image-inverted": ("warn", "the film seems to be inverted: bright around, dark within"),
    "changed": ("warn", "the curriculum is not the one that build.json tells of"),
}


@dataclass
class Findings:
    """counts, first: by kind; the first is the sample's id."""

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, where: str, number: int = 1) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + number
        self.first.setdefault(kind, where)

    @property
    def failed(self) -> bool:
        return any(KINDS[kind][0] == "fail" for kind in self.counts)

    def to_json(self) -> list[dict[str, Any]]:
        """In the order of KINDS: id, status, count, first, and what it means."""
        return [
            {
                "id": kind,
                "status": status,
                "count": self.counts[kind],
                "first": self.first[kind],
                "title": title,
            }
            for kind, (status, title) in KINDS.items()
            if kind in self.counts
        ]
