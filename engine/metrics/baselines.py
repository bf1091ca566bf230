"""Answers that never look at the case. A model no better than these has learned manners, not medicine."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from engine.data.curriculum import Sample
from engine.data.labels import positives
from engine.metrics.scores import read_and_scored
from engine.runs.store.rows import GeneratedSample
from engine.stages import stage_of


def constant_rows(train_samples: Sequence[Sample], rows: Sequence[GeneratedSample]) -> list[GeneratedSample]:
    """The rows, each stage answered with one text: its most frequent training target.

    Where every target is different it is the first, by sample id, of those with the most frequent labels or
    codes. Raises ValueError if a stage of `rows` has no training sample.
    """
    targets = {stage: _constant(train_samples, stage) for stage in {row.stage for row in rows}}
    return [_answered(row, targets[row.stage], "baseline:constant") for row in rows]


def shuffled_rows(
    rows: Sequence[GeneratedSample], seed: int, subjects: Mapping[str, str] | None = None
) -> list[GeneratedSample]:
    """The rows, each with the text that was generated for another patient's case of the same stage.

    subjects: the patient of each case; without it every case counts as a patient of its own. Rows for which
    the stage offers no other patient are left out.
    """
    partner: dict[int, GeneratedSample] = {}
    for stage in sorted({row.stage for row in rows}):
        groups: defaultdict[str, list[int]] = defaultdict(list)
        for index, row in enumerate(rows):
            if row.stage == stage:
                groups[row.case if subjects is None else subjects[row.case]].append(index)
        partner.update(
            {mine: rows[other] for mine, other in _pairs(groups, random.Random(f"{seed}:{stage}"))}
        )
    return [
        _answered(row, partner[index].generated, "baseline:shuffled")
        for index, row in enumerate(rows)
        if index in partner
    ]


def _pairs(groups: Mapping[str, list[int]], chance: random.Random) -> list[tuple[int, int]]:
    """Pairs rows across groups: in group order, each with the one as far on as the largest group is long."""
    subjects = sorted(groups)
    chance.shuffle(subjects)
    order = [
        (subject, index)
        for subject in subjects
        for index in chance.sample(groups[subject], len(groups[subject]))
    ]
    shift = max(map(len, groups.values()))
    rotated = order[shift:] + order[:shift]
    return [(mine, other) for (me, mine), (them, other) in zip(order, rotated, strict=True) if me != them]


def _constant(samples: Iterable[Sample], stage: str) -> str:
    own = sorted((sample for sample in samples if sample.stage == stage), key=lambda sample: sample.id)
    if not own:
        raise ValueError(f"no training sample of {stage} to take a constant answer from")
    target, times = _most_frequent(sample.target for sample in own)
    if times > 1:
        return target
    machine_part = {sample.id: _machine_part(sample) for sample in own}
    frequent, _ = _most_frequent(machine_part.values())
    return next(sample.target for sample in own if machine_part[sample.id] == frequent)


def _machine_part(sample: Sample) -> str:
    return ";".join(
        sorted(positives(sample.labels) if stage_of(sample.stage).line == "labels" else sample.icd)
    )


def _most_frequent(texts: Iterable[str]) -> tuple[str, int]:
    return min(Counter(texts).items(), key=lambda item: (-item[1], item[0]))


def _answered(row: GeneratedSample, generated: str, purpose: str) -> GeneratedSample:
    """The row with another generated text and all that follows from it."""
    return read_and_scored(replace(row, purpose=purpose, generated=generated))
