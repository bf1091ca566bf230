"""The scores of generated samples, in the form that `evaluate --json` and `samples` print."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.data.answers import read_answer
from engine.metrics import registry
from engine.runs.store.rows import GeneratedSample
from engine.stages import stage_of


def scores_of(samples: Sequence[GeneratedSample], loss: float | None) -> dict[str, Any]:
    """SCORES of one stage's samples. Raises ValueError if there are none, or of several stages."""
    if not samples:
        raise ValueError("no samples to score")
    stages = {sample.stage for sample in samples}
    if len(stages) > 1:
        raise ValueError(f"samples of several stages: {', '.join(sorted(stages))}")
    scores: dict[str, Any] = {"n": len(samples), "loss": loss}
    for metric in registry.metrics_of(samples[0].stage):
        *outer, key = metric.id.split(".")
        place = scores
        for name in outer:
            place = place.setdefault(name, {})
        place[key] = metric.of(samples)
    return scores


def figure(scores: Mapping[str, Any], metric_id: str) -> Any:
    """A metric's value in SCORES; None where they have none."""
    value: Any = scores
    for key in metric_id.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def scalars_of(scores: Mapping[str, Any]) -> dict[str, float]:
    """Those of the scores that have a tag, by it."""
    found = {metric.tag: figure(scores, metric.id) for metric in registry.METRICS if metric.tag}
    return {tag: value for tag, value in found.items() if value is not None}


def read_and_scored(sample: GeneratedSample) -> GeneratedSample:
    """The sample with what its generated text says, and its own scores."""
    said = read_answer(sample.generated, stage_of(sample.stage).line, sample.icd_reference or ())
    read = replace(sample, labels=said.labels, icd=said.icd)
    own = [metric.own for metric in registry.metrics_of(sample.stage) if metric.own]
    return replace(read, scores={one.id: one.of(read) for one in own})
