"""From samples and a configuration to the Data screen's figures: pure functions, no reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cockpit.screens.data.state import Fact, Share
from engine.data.curriculum import SPLITS, Sample
from engine.data.labels import LABELS
from engine.stages import STAGES
from engine.words.plural import counted

SPLIT_NAMES = {"train": "train", "val": "validation", "test": "test"}


def inventory(samples: Sequence[Sample], expected: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Counts against what the configuration expects, then the split by patient and by stage."""
    read = images_read(samples)
    with_test = len(read) < len({sample.image for sample in samples})
    images = _counted("images", len(read), expected.get("images"))
    facts = [replace(images, detail="without those of test" if with_test else "")]
    for split in SPLITS:
        own = [sample for sample in samples if sample.split == split]
        if own or split != "test":
            facts.append(_counted(SPLIT_NAMES[split], len(own), expected.get(SPLIT_NAMES[split]), own))
    facts.append(_overlap(samples))
    counts = Counter(sample.stage for sample in samples)
    for place, stage in enumerate(STAGES):
        share = counts[stage.name] / len(samples) if samples else 0.0
        detail = "" if place == len(STAGES) - 1 else f"{share:.1%} of all"  # the last one has the rest
        facts.append(Fact(f"stage {stage.letter}", f"{counts[stage.name]:,}", detail=detail))
    studies = len({sample.study_id for sample in samples})
    patients = len({sample.subject_id for sample in samples})
    facts.append(Fact("studies", f"{studies:,}", detail=counted(patients, "patient")))
    return tuple(facts)


def images_read(samples: Iterable[Sample]) -> set[str]:
    """The images that a training reads: those of train and validation."""
    return {sample.image for sample in samples if sample.split != "test"}


def _counted(name: str, found: int, wanted: Any, own: Iterable[Sample] = ()) -> Fact:
    patients = len({sample.subject_id for sample in own})
    detail = counted(patients, "patient") if patients else ""
    if not isinstance(wanted, int):
        return Fact(name, f"{found:,}", detail=detail)
    return Fact(name, f"{found:,}", f"{wanted:,}", "ok" if wanted == found else "bad", detail)


def _overlap(samples: Iterable[Sample]) -> Fact:
    """A patient on both sides would let scores measure memory."""
    splits: dict[str, set[str]] = {}
    for sample in samples:
        splits.setdefault(sample.subject_id, set()).add(sample.split)
    shared = sorted(subject for subject, own in splits.items() if len(own) > 1)
    found = (
        "no patient in two splits" if not shared else f"{counted(len(shared), 'patient')}, e.g. {shared[0]}"
    )
    return Fact("overlap", found, "none", "ok" if not shared else "bad")


def prevalences(samples: Iterable[Sample]) -> tuple[Share, ...]:
    """How often each label is positive, in training and in validation."""
    totals: Counter[str] = Counter()
    positive: Counter[tuple[str, str]] = Counter()
    for sample in samples:
        totals[sample.split] += 1
        positive.update((sample.split, name) for name, state in sample.labels.items() if state == 1)

    def share(split: str, label: str) -> float | None:
        return positive[split, label] / totals[split] if totals[split] else None

    return tuple(Share(label, share("train", label), share("val", label)) for label in LABELS)


def parts(samples: Iterable[Sample]) -> list[tuple[tuple[str, str], int]]:
    """(stage, split) with the number of samples, all first."""
    counts = Counter((sample.stage, sample.split) for sample in samples)
    return [(("", ""), sum(counts.values())), *sorted(counts.items())]


def listed(samples: Iterable[Sample], part: tuple[str, str], search: str) -> tuple[Sample, ...]:
    """The samples of a part whose texts hold the words."""
    stage, split = part
    words = search.casefold()
    return tuple(
        sample
        for sample in samples
        if (not stage or sample.stage == stage)
        and (not split or sample.split == split)
        and (not words or words in f"{sample.id}\n{sample.prompt}\n{sample.target}".casefold())
    )
