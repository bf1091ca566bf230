"""The one list of metrics. What `evaluate` writes, `val/*`, a sample's own scores, the columns and orders on screens
and the model card's table follow from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from engine.data.answers import prose
from engine.data.icd import category
from engine.data.labels import LABELS_5, positives
from engine.metrics.f1 import (
    POLICY,
    Counts,
    count,
    label_counts,
    macro_f1,
    micro_f1,
    per_label,
    sample_f1,
)
from engine.metrics.text import corpus_bleu, mean_rouge_l, rouge_l, sentence_bleu4
from engine.runs.store.rows import GeneratedSample
from engine.stages import Line, stage_of

Samples = Sequence[GeneratedSample]

_NORMAL = ({"No Finding"}, {"No Finding", "Support Devices"})


@dataclass(frozen=True, slots=True)
class OwnScore:
    """How well one text does by itself, no part of any average. id: its key in a sample's `scores`."""

    id: str
    title: str
    of: Callable[[GeneratedSample], float]


@dataclass(frozen=True, slots=True)
class Metric:
    """id: its place in a stage's scores, a dot before what lies in an object of them. of: of all samples of a stage,
    as JSON has it. line: only of stages whose answers end with this line; None: of all.

    Where it is shown, if it is: title: in the table of `evaluate`, with `rule` below it. card: in that of the model
    card. tag: as a scalar at a stage's end. short: of a tag that speaks for a stage, on Flight and Runs.
    own: of single samples. better: which end of it is the good one.
    """

    id: str
    of: Callable[[Samples], Any]
    line: Line | None = None
    title: str = ""
    rule: str = ""
    card: str = ""
    short: str = ""
    tag: str = ""
    own: OwnScore | None = None
    better: Literal["high", "low"] = "high"

    def goodness(self, value: float) -> float:
        """The value turned so that more is better."""
        return value if self.better == "high" else -value


def metrics_of(stage: str) -> list[Metric]:
    """Those of a stage. Raises ValueError for one that is not known."""
    line = stage_of(stage).line
    return [metric for metric in METRICS if metric.line in (None, line)]


def own_scores(scores: Mapping[str, Any] | None) -> list[tuple[Metric, OwnScore, float]]:
    """What a sample's stored `scores` say, what tells most first: a list of words is no diagnosis.

    Scores that are no numbers or of no metric that is known are left out.
    """
    known = scores if isinstance(scores, Mapping) else {}
    return [
        (metric, own, float(known[own.id]))
        for metric in reversed(METRICS)
        if (own := metric.own) and isinstance(known.get(own.id), int | float)
    ]


def _texts(samples: Samples) -> tuple[list[str], list[str]]:
    """Generated and reference, without their last lines."""
    return (
        [prose(one.generated, one.stage) for one in samples],
        [prose(one.reference, one.stage) for one in samples],
    )


def _own_texts(judge: Callable[[str, str], float]) -> Callable[[GeneratedSample], float]:
    return lambda one: judge(prose(one.generated, one.stage), prose(one.reference, one.stage))


def _labels(judge: Callable[[Mapping[str, Counts]], Any]) -> Callable[[Samples], Any]:
    return lambda samples: judge(
        label_counts([one.labels_reference for one in samples], [one.labels for one in samples])
    )


def _own_labels(one: GeneratedSample) -> float:
    return sample_f1(positives(one.labels_reference), positives(one.labels))


def _icd(code: Callable[[str], str]) -> Callable[[Samples], float]:
    """Micro F1 over all samples' codes, each as `code` has it; an unreadable line has none."""
    return lambda samples: micro_f1(
        count(_each(code, one.icd_reference), _each(code, one.icd)) for one in samples
    )


def _each(change: Callable[[str], str], codes: Sequence[str] | None) -> set[str]:
    return {change(code) for code in codes or ()}


def _own_icd(one: GeneratedSample) -> float:
    return sample_f1(one.icd_reference or (), one.icd or ())


def _five(counts: Mapping[str, Counts]) -> list[Counts]:
    return [counts[name] for name in LABELS_5]


def _unreadable(samples: Samples) -> int:
    """Answers without a line that can be read."""
    return sum(getattr(one, stage_of(one.stage).line) is None for one in samples)


def _normal(samples: Samples) -> float:
    """Share of answers that find nothing: a model that always does scores well where most patients are healthy."""
    return sum(set(positives(one.labels)) in _NORMAL for one in samples) / len(samples)


#: In the order of `evaluate --json`. The later, the more a metric says of medicine rather than of words.
METRICS: tuple[Metric, ...] = (
    Metric("bleu1", lambda samples: corpus_bleu(*_texts(samples), order=1), "labels"),
    Metric(
        "bleu4",
        lambda samples: corpus_bleu(*_texts(samples)),
        title="BLEU-4",
        rule="sacrebleu, 13a, cased, on the prose alone",
        card="BLEU-4",
        tag="val/bleu4",
        own=OwnScore("bleu4", "BLEU-4", _own_texts(sentence_bleu4)),
    ),
    Metric(
        "rouge_l",
        lambda samples: mean_rouge_l(*_texts(samples)),
        title="ROUGE-L",
        card="ROUGE-L",
        tag="val/rouge_l",
        own=OwnScore("rouge_l", "ROUGE-L", _own_texts(rouge_l)),
    ),
    Metric("chexpert.policy", lambda _: POLICY, "labels"),
    Metric(
        "chexpert.micro_f1_14",
        _labels(lambda counts: micro_f1(counts.values())),
        "labels",
        title="labels F1",
        card="labels micro-F1 (14)",
        short="F1",
        tag="val/chexpert_micro_f1",
        own=OwnScore("label_f1", "label F1", _own_labels),
    ),
    Metric(
        "chexpert.macro_f1_14",
        _labels(lambda counts: macro_f1([*counts.values()])),
        "labels",
        card="labels macro-F1 (14)",
    ),
    Metric("chexpert.micro_f1_5", _labels(lambda counts: micro_f1(_five(counts))), "labels"),
    Metric("chexpert.macro_f1_5", _labels(lambda counts: macro_f1(_five(counts))), "labels"),
    Metric("chexpert.per_label", _labels(per_label), "labels"),
    Metric("labeler", lambda _: None, "labels"),  # no labeler has read the prose
    Metric(
        "icd.micro_f1",
        _icd(str),
        "icd",
        title="ICD F1",
        rule="micro, whole codes",
        card="ICD micro-F1",
        short="ICD F1",
        tag="val/icd_micro_f1",
        own=OwnScore("icd_f1", "ICD F1", _own_icd),
    ),
    Metric("icd.micro_f1_category", _icd(category), "icd"),
    Metric("distinct_outputs", lambda samples: len({one.generated.strip() for one in samples})),
    Metric("normal_fraction", _normal, "labels"),
    Metric("format_errors", _unreadable),
)
