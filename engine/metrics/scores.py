"""The scores of a set of generated samples, in the form that `evaluate --json` prints.

A row is a generated sample as `cxr-cockpit samples --format jsonl` writes it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.data.answers import prose
from engine.data.labels import positives
from engine.metrics.f1 import chexpert_f1, icd_f1, sample_f1
from engine.metrics.text import corpus_bleu, mean_rouge_l, rouge_l, sentence_bleu4

Row = Mapping[str, Any]

_NORMAL = ({"No Finding"}, {"No Finding", "Support Devices"})


def scores_a(rows: Sequence[Row], loss: float | None) -> dict[str, Any]:
    """Stage A: impressions and CheXpert labels. `labeler` is None: no labeler has read the prose.

    Raises ValueError if `rows` is empty or holds another stage.
    """
    generated, references = _prose(rows, "stage_a")
    return {
        "n": len(rows),
        "loss": loss,
        "bleu1": corpus_bleu(generated, references, order=1),
        "bleu4": corpus_bleu(generated, references),
        "rouge_l": mean_rouge_l(generated, references),
        "chexpert": chexpert_f1([row["labels_reference"] for row in rows], [row["labels"] for row in rows]),
        "labeler": None,
        "distinct_outputs": _distinct(rows),
        "normal_fraction": sum(set(positives(row["labels"])) in _NORMAL for row in rows) / len(rows),
        "format_errors": sum(row["labels"] is None for row in rows),
    }


def scores_b(rows: Sequence[Row], loss: float | None) -> dict[str, Any]:
    """Stage B: clinical reasoning and ICD codes. Raises ValueError as `scores_a`."""
    generated, references = _prose(rows, "stage_b")
    return {
        "n": len(rows),
        "loss": loss,
        "bleu4": corpus_bleu(generated, references),
        "rouge_l": mean_rouge_l(generated, references),
        "icd": icd_f1([row["icd_reference"] for row in rows], [row["icd"] for row in rows]),
        "distinct_outputs": _distinct(rows),
        "format_errors": sum(row["icd"] is None for row in rows),
    }


def sample_scores(row: Row) -> dict[str, float]:
    """One row's own scores, for its "scores" field: how well this text does, not a part of any average."""
    generated, reference = prose(row["generated"], row["stage"]), prose(row["reference"], row["stage"])
    scores = {"bleu4": sentence_bleu4(generated, reference), "rouge_l": rouge_l(generated, reference)}
    if row["stage"] == "stage_a":
        return scores | {"label_f1": sample_f1(positives(row["labels_reference"]), positives(row["labels"]))}
    return scores | {"icd_f1": sample_f1(row["icd_reference"], row["icd"] or ())}


def _prose(rows: Sequence[Row], stage: str) -> tuple[list[str], list[str]]:
    if not rows:
        raise ValueError("no rows to score")
    if any(row["stage"] != stage for row in rows):
        raise ValueError(f"rows of another stage among those of {stage}")
    return [prose(row["generated"], stage) for row in rows], [prose(row["reference"], stage) for row in rows]


def _distinct(rows: Sequence[Row]) -> int:
    return len({row["generated"].strip() for row in rows})
