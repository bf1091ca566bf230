"""What a build has made, what it had to go on, and what it left out and why."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.data.curriculum import SPLITS, Sample
from engine.data.mimic.checksums import Inputs
from engine.data.mimic.joins import Joins
from engine.data.mimic.studies import Sections, Study
from engine.data.mimic.tree import MimicRoots
from engine.stages import STAGE_A, STAGE_NAMES, STAGES
from engine.words.plural import counted


@dataclass
class Tally:
    """Counts of samples, taken while they pass; none of them is kept."""

    stages: Counter[tuple[str, str]] = field(default_factory=Counter)
    studies: dict[str, set[str]] = field(default_factory=lambda: {split: set() for split in SPLITS})
    patients: dict[str, set[str]] = field(default_factory=lambda: {split: set() for split in SPLITS})

    def through(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        for sample in samples:
            self.stages[sample.split, sample.stage] += 1
            self.studies[sample.split].add(sample.study_id)
            self.patients[sample.split].add(sample.subject_id)
            yield sample

    @property
    def total(self) -> int:
        return self.stages.total()

    def overlap(self) -> int:
        """How many patients are in more than one split."""
        return sum(n > 1 for n in Counter(one for own in self.patients.values() for one in own).values())

    def to_json(self) -> dict[str, Any]:
        """Samples, studies and patients by split, samples by stage within it, and the share of stage A in all."""
        stage_a = sum(n for (_, stage), n in self.stages.items() if stage == STAGE_A.name)
        return {
            "total": self.total,
            "stage_a_fraction": stage_a / self.total if self.total else 0.0,
            "splits": {
                split: {
                    "samples": sum(self.stages[split, stage] for stage in STAGE_NAMES),
                    **{stage: self.stages[split, stage] for stage in STAGE_NAMES},
                    "studies": len(self.studies[split]),
                    "patients": len(self.patients[split]),
                }
                for split in SPLITS
            },
        }


@dataclass(frozen=True)
class BuildReport:
    """coverage: studies by what is known of them. dropped: studies left out, by reason.

    counts: what was odd about the reports that were read, by reason; a report may have several. Versions, arguments and
    hashes of what was read and written decide the bytes.
    """

    roots: MimicRoots
    seed: int
    stage_a_fraction: float
    sections: Sections
    tally: Tally
    coverage: Mapping[str, int]
    dropped: Mapping[str, int]
    counts: Mapping[str, int]
    joins: Joins
    inputs: Inputs
    uncertain: str
    arguments: Mapping[str, Any]
    versions: Mapping[str, str]
    curriculum_sha256: str

    def to_json(self) -> dict[str, Any]:
        """Everything but the samples themselves; no word of a report is in it."""
        roots = self.roots
        return {
            "image_root": str(roots.jpg),
            "reports_root": str(roots.reports),
            "hosp_root": str(roots.hosp),
            "ed_root": None if roots.ed is None else str(roots.ed),
            "seed": self.seed,
            "stage_a_fraction": self.stage_a_fraction,
            "uncertain": self.uncertain,
            "samples": self.tally.to_json(),
            "patient_overlap": self.tally.overlap(),
            "coverage": dict(self.coverage),
            "dropped": dict(self.dropped),
            "sections": self.sections,
            "counts": dict(self.counts),
            **self.joins.to_json(),
            "arguments": dict(self.arguments),
            "versions": dict(self.versions),
            "inputs": dict(sorted(self.inputs.read.items())),
            "curriculum_sha256": self.curriculum_sha256,
        }

    def lines(self) -> list[str]:
        """The same for people, without the paths."""
        counts = self.tally.to_json()
        lines = [f"{counted(self.tally.total, 'sample')}; stage A {counts['stage_a_fraction']:.1%}"]
        for split in SPLITS:
            own = counts["splits"][split]
            if own["samples"]:
                lines.append(
                    f"{split:<5} {by_stage(own)}  "
                    f"{own['studies']:>7,} studies  {own['patients']:>7,} patients"
                )
        lines.append(f"patients in more than one split: {self.tally.overlap()}")
        lines.append(f"uncertain labels (-1): {self.uncertain} (--uncertain)")
        lines += [
            f"{number:>7,} {'study' if number == 1 else 'studies'}: {what}"
            for what, number in self.coverage.items()
        ]
        lines += [f"{number:>7,} left out: {why}" for why, number in self.dropped.items()]
        lines += [f"{number:>7,} {what}" for what, number in self.counts.items()]
        checked = sum(bool(one["checked"]) for one in self.inputs.read.values())
        lines.append(f"{checked} of {counted(len(self.inputs.read), 'table')} held against a SHA256SUMS list")
        return lines + self.joins.lines()


def by_stage(counts: Mapping[str, Any]) -> str:
    """A split's samples of each stage, in columns."""
    return "  ".join(f"{counts[stage.name]:>7,} stage {stage.letter}" for stage in STAGES)


def sample_counts(samples: Iterable[Sample]) -> dict[str, Any]:
    """As `Tally.to_json`, of samples at hand."""
    return _tallied(samples).to_json()


def patient_overlap(samples: Iterable[Sample]) -> int:
    """How many patients are in more than one split."""
    return _tallied(samples).overlap()


def _tallied(samples: Iterable[Sample]) -> Tally:
    tally = Tally()
    for _ in tally.through(samples):
        pass
    return tally


_COVERAGE = (
    "usable film and report",
    "text from the impression",
    "text from the findings",
    "text from the last paragraph",
    "text from the comparison",
    "no CheXpert label at all (no stage A sample)",
    "no label positive and No Finding not 1 (CheXpert: none)",
    "No Finding 1 beside a positive label other than Support Devices",
    "no hospital or emergency stay",
    "no discharge code (no stage B sample)",
    "no laboratory value before the film",
    "no vital sign before the film",
    "no complaint before the film",
)


@dataclass
class Coverage:
    """How many studies have what; every later number is out of "usable film and report"."""

    counts: Counter[str] = field(default_factory=Counter)

    def through(self, studies: Iterable[Study]) -> Iterator[Study]:
        for study in studies:
            positive = {name for name, value in study.labels.items() if value == 1}
            applies = (
                True,
                study.section == "impression",
                study.section == "findings",
                study.section == "last_paragraph",
                study.section == "comparison",
                not study.labelled,
                study.labelled and not positive,
                "No Finding" in positive and bool(positive - {"No Finding", "Support Devices"}),
                not study.linked,
                not study.diagnoses,
                not study.context.labs,
                not study.context.vitals,
                not study.context.complaint,
            )
            self.counts.update(what for what, true in zip(_COVERAGE, applies, strict=True) if true)
            yield study

    def to_json(self) -> dict[str, int]:
        return {what: self.counts[what] for what in _COVERAGE}
