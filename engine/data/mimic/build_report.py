"""What a build has made, what it had to go on, and what it left out and why."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.data.curriculum import SPLITS, Sample
from engine.data.mimic.studies import Sections, Study
from engine.data.mimic.tree import MimicRoots
from engine.stages import STAGE_A, STAGE_NAMES, STAGES
from engine.words.plural import counted


@dataclass(frozen=True)
class BuildReport:
    """coverage: studies by what is known of them. dropped: studies left out, by reason.

    counts: what was odd about those that were read, by reason; a study may have several.
    """

    roots: MimicRoots
    seed: int
    stage_a_fraction: float
    sections: Sections
    samples: Sequence[Sample]
    coverage: Mapping[str, int]
    dropped: Mapping[str, int]
    counts: Mapping[str, int]

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
            "samples": sample_counts(self.samples),
            "patient_overlap": patient_overlap(self.samples),
            "coverage": dict(self.coverage),
            "dropped": dict(self.dropped),
            "sections": self.sections,
            "counts": dict(self.counts),
        }

    def lines(self) -> list[str]:
        """The same for people, without the paths."""
        counts = sample_counts(self.samples)
        lines = [f"{counted(len(self.samples), 'sample')}; stage A {counts['stage_a_fraction']:.1%}"]
        for split in SPLITS:
            own = counts["splits"][split]
            if own["samples"]:
                lines.append(
                    f"{split:<5} {by_stage(own)}  "
                    f"{own['studies']:>7,} studies  {own['patients']:>7,} patients"
                )
        lines.append(f"patients in more than one split: {patient_overlap(self.samples)}")
        lines += [
            f"{number:>7,} {'study' if number == 1 else 'studies'}: {what}"
            for what, number in self.coverage.items()
        ]
        lines += [f"{number:>7,} left out: {why}" for why, number in self.dropped.items()]
        lines += [f"{number:>7,} {what}" for what, number in self.counts.items()]
        return lines


def by_stage(counts: Mapping[str, Any]) -> str:
    """A split's samples of each stage, in columns."""
    return "  ".join(f"{counts[stage.name]:>7,} stage {stage.letter}" for stage in STAGES)


def sample_counts(samples: Iterable[Sample]) -> dict[str, Any]:
    """Samples, studies and patients by split, samples by stage within it, and the share of stage A in all."""
    samples = list(samples)
    splits = {}
    for split in SPLITS:
        own = [sample for sample in samples if sample.split == split]
        stages = Counter(sample.stage for sample in own)
        splits[split] = {
            "samples": len(own),
            **{stage: stages[stage] for stage in STAGE_NAMES},
            "studies": len({sample.study_id for sample in own}),
            "patients": len({sample.subject_id for sample in own}),
        }
    stage_a = sum(sample.stage == STAGE_A.name for sample in samples)
    return {
        "total": len(samples),
        "stage_a_fraction": stage_a / len(samples) if samples else 0.0,
        "splits": splits,
    }


def patient_overlap(samples: Iterable[Sample]) -> int:
    """How many patients are in more than one split."""
    splits: dict[str, set[str]] = {}
    for sample in samples:
        splits.setdefault(sample.subject_id, set()).add(sample.split)
    return sum(len(own) > 1 for own in splits.values())


def coverage(studies: Sequence[Study]) -> dict[str, int]:
    """How many studies have what; every later number is out of "usable film and report"."""
    sections = Counter(study.section for study in studies)
    contexts = [study.record.context for study in studies]
    return {
        "usable film and report": len(studies),
        "text from the impression": sections["impression"],
        "text from the findings": sections["findings"],
        "text from the last paragraph": sections["last_paragraph"],
        "text from the comparison": sections["comparison"],
        "no CheXpert label at all (no stage A sample)": sum(not study.labelled for study in studies),
        "no hospital or emergency stay": sum(study.record.encounter is None for study in studies),
        "no discharge code (no stage B sample)": sum(not study.record.diagnoses for study in studies),
        "no laboratory value before the film": sum(not context.labs for context in contexts),
        "no vital sign before the film": sum(not context.vitals for context in contexts),
        "no complaint before the film": sum(not context.complaint for context in contexts),
    }
