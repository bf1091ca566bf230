"""Scores of a checkpoint beside what tells whether they mean anything: the same with the image or the EHR blanked,
the untouched base model, one constant answer, and answers given to the wrong case."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.config import RunConfig
from engine.data.curriculum import Sample, without_ehr
from engine.data.images import blank_like
from engine.metrics.baselines import constant_rows, shuffled_rows
from engine.metrics.scores import read_and_scored, scores_of
from engine.model.loading import Base
from engine.runs.store.rows import GeneratedSample
from engine.seeds import seed_for
from engine.stages import STAGE_NAMES, stage_of
from engine.training.batches import Collator, encode_all
from engine.training.sampling import Done, Poll, generate, validation_loss

#: Called as each condition begins: its name, how many are done, how many there are.
Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Evaluator:
    """Generates and scores with one model. `model` is the adapted one, already on its device."""

    model: Any
    base: Base
    config: RunConfig
    poll: Poll

    def rows(
        self,
        samples: Sequence[Sample],
        purpose: str,
        checkpoint: str,
        step: int,
        *,
        blank_image: bool = False,
        done: Done = lambda _samples: None,
    ) -> list[GeneratedSample]:
        """One row a sample, in the order of `samples`, with everything but the attempt."""
        settings = self.config.evaluation
        texts = generate(
            self.model,
            self.base,
            samples,
            self.collator(blank_image),
            settings.batch_size,
            settings.max_new_tokens,
            self.poll,
            done,
        )
        return [
            generated_sample(sample, text, purpose, checkpoint, step)
            for sample, text in zip(samples, texts, strict=True)
        ]

    def loss(
        self,
        samples: Sequence[Sample],
        *,
        blank_image: bool = False,
        done: Done = lambda _samples: None,
    ) -> float:
        encoded = encode_all(samples, self.base.encoder, self.config.data.max_length)
        return validation_loss(
            self.model,
            self.base,
            encoded,
            self.collator(blank_image),
            self.config.evaluation.batch_size,
            self.poll,
            done,
        )

    def collator(self, blank_image: bool = False) -> Collator:
        data = self.config.data
        change = blank_like if blank_image else None
        return Collator(
            data.image_root, self.base.image_processor, self.base.pad_id, data.length_multiple, change
        )


def subset(samples: Sequence[Sample], limit: int | None, seed: int) -> list[Sample]:
    """At most `limit` of the samples, always the same ones for a seed."""
    if limit is None or limit >= len(samples):
        return list(samples)
    return sorted(
        sorted(samples, key=lambda one: seed_for(seed, "validation", one.id))[:limit], key=lambda one: one.id
    )


def generated_sample(sample: Sample, text: str, purpose: str, checkpoint: str, step: int) -> GeneratedSample:
    """What the model wrote about a sample, read and scored, not stored yet."""
    line = stage_of(sample.stage).line
    return read_and_scored(
        GeneratedSample(
            stage=sample.stage,
            step=step,
            checkpoint=checkpoint,
            split=sample.split,
            purpose=purpose,
            case=sample.id,
            image=sample.image,
            prompt=sample.prompt,
            reference=sample.target,
            generated=text,
            labels=None,
            labels_reference=sample.labels if line == "labels" else None,
            icd=None,
            icd_reference=list(sample.icd) if line == "icd" else None,
            scores=None,
        )
    )


def score(
    generated: Sequence[GeneratedSample], losses: Mapping[str, float | None]
) -> dict[str, dict[str, Any]]:
    """SCORES by stage, of the stages that `generated` holds, in their order."""
    by_stage = {stage: [one for one in generated if one.stage == stage] for stage in STAGE_NAMES}
    return {stage: scores_of(own, losses.get(stage)) for stage, own in by_stage.items() if own}


def evaluate(
    evaluator: Evaluator,
    samples: Sequence[Sample],
    train_samples: Sequence[Sample],
    checkpoint: str,
    step: int,
    report: Report,
) -> tuple[dict[str, Any], list[GeneratedSample]]:
    """Score `samples` and every baseline. Returns `stages` and `baselines` of `evaluate --json`, and all rows."""
    conditions = ("evaluation", "blank_image", "blank_ehr", "base_model", "constant", "shuffled")
    by_stage = {stage: [sample for sample in samples if sample.stage == stage] for stage in STAGE_NAMES}
    by_stage = {stage: own for stage, own in by_stage.items() if own}

    def judged(
        purpose: str, *, blank_image: bool = False, change: Callable[[Sample], Sample] | None = None
    ) -> Judged:
        report(purpose, conditions.index(purpose.removeprefix("baseline:")), len(conditions))
        rows: list[GeneratedSample] = []
        losses: dict[str, float | None] = {}
        for stage, own in by_stage.items():
            seen = [change(sample) for sample in own] if change else own
            losses[stage] = evaluator.loss(seen, blank_image=blank_image)
            rows += evaluator.rows(seen, purpose, checkpoint, step, blank_image=blank_image)
        return Judged(rows, score(rows, losses))

    real = judged("evaluation")
    baselines = {
        "blank_image": judged("baseline:blank_image", blank_image=True),
        "blank_ehr": judged("baseline:blank_ehr", change=without_ehr),
    }
    with evaluator.model.disable_adapter():
        baselines["base_model"] = judged("baseline:base_model")
    subjects = {sample.id: sample.subject_id for sample in samples}
    for name, rows in (
        ("constant", constant_rows(train_samples, real.rows)),
        ("shuffled", shuffled_rows(real.rows, evaluator.config.seed, subjects)),
    ):
        report(name, conditions.index(name), len(conditions))
        baselines[name] = Judged(rows, score(rows, {}))
    result = {
        "stages": real.scores,
        "baselines": {name: baseline.scores for name, baseline in baselines.items()},
    }
    return result, real.rows + [row for baseline in baselines.values() for row in baseline.rows]


@dataclass(frozen=True)
class Judged:
    rows: list[GeneratedSample]
    scores: dict[str, Any]
