"""What an import has taken, guessed, left out and not understood."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.data.curriculum import SPLITS, Sample
from engine.data.importing.overlap import Shared
from engine.data.mimic.build_report import by_stage, patient_overlap, sample_counts
from engine.words.plural import counted

_SHOWN = 12
_WORDS = {
    "patients": ("patient", "patients"),
    "studies": ("study", "studies"),
    "images": ("image", "images"),
    "contents": ("image by its bytes", "images by their bytes"),
}
#: Identities that the report names of each kind; the rest is counted.
_NAMED = 100


@dataclass
class ImportReport:
    """read: records met. dropped, notes: how often each reason or remark applied, and where it did first.

    unknown_fields: names of fields that nothing was made of, and in how many records. overlap: by "patients",
    "studies", "images" and, where they were hashed, "contents": what is in which several splits.
    """

    read: int = 0
    samples: Sequence[Sample] = ()
    dropped: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    overlap: dict[str, Shared] = field(default_factory=dict)

    def drop(self, reason: str, where: str) -> None:
        self.dropped[reason] += 1
        self.first.setdefault(reason, where)

    def note(self, remark: str, where: str) -> None:
        self.notes[remark] += 1
        self.first.setdefault(remark, where)

    def to_json(self) -> dict[str, Any]:
        return {
            "read": self.read,
            "written": len(self.samples),
            "samples": sample_counts(self.samples),
            "patient_overlap": patient_overlap(self.samples),
            "overlap": {kind: len(keys) for kind, keys in self.overlap.items()},
            "overlapping": {kind: _by_splits(keys) for kind, keys in self.overlap.items()},
            "dropped": self._with_places(self.dropped),
            "notes": self._with_places(self.notes),
            "unknown_fields": dict(sorted(self.unknown_fields.items())),
        }

    def lines(self) -> list[str]:
        """The same for people, the most frequent first."""
        counts = sample_counts(self.samples)
        lines = [
            f"{counted(self.read, 'record')} read, {counted(len(self.samples), 'sample')} written, "
            f"{sum(self.dropped.values()):,} left out; stage A {counts['stage_a_fraction']:.1%}"
        ]
        for split in SPLITS:
            own = counts["splits"][split]
            if own["samples"]:
                lines.append(f"{split:<5} {by_stage(own)}  {own['patients']:>7,} patients")
        lines.append(f"patients in more than one split: {patient_overlap(self.samples)}")
        for kind, keys in self.overlap.items():
            for splits, number in sorted(Counter(keys.values()).items()):
                lines.append(f"overlap: {counted(number, *_WORDS[kind])} in {' and '.join(splits)}")
        if self.overlap.get("patients"):
            lines.append("overlap: training refuses such patients; `--split patient` splits anew")
        for title, counter in (("left out", self.dropped), ("note", self.notes)):
            for text, number in counter.most_common(_SHOWN):
                lines.append(f"{title}: {number:,} x {text} (first: {self.first[text]})")
            if len(counter) > _SHOWN:
                lines.append(f"{title}: {counted(len(counter) - _SHOWN, 'more kind')}, see import.json")
        if self.unknown_fields:
            names = ", ".join(f"{name} ({number:,})" for name, number in self.unknown_fields.most_common())
            lines.append(f"fields not understood: {names}")
        return lines

    def _with_places(self, counter: Counter[str]) -> dict[str, Any]:
        return {text: {"count": counter[text], "first": self.first[text]} for text in sorted(counter)}


def _by_splits(keys: Shared) -> dict[str, list[str]]:
    """Which identities are in which splits, the first of them by name."""
    found: dict[str, list[str]] = {}
    for key, splits in sorted(keys.items())[:_NAMED]:
        found.setdefault("+".join(splits), []).append(key)
    return found
