"""One entry in the list is a metric: nothing else has to be told of it."""

import pytest

from engine.metrics import registry
from engine.metrics.registry import METRICS, Metric, OwnScore, metrics_of, own_scores
from engine.metrics.scores import read_and_scored, scalars_of, scores_of
from engine.runs.store.rows import GeneratedSample

WORDS = Metric(
    "length.words",
    lambda samples: sum(len(one.generated.split()) for one in samples) / len(samples),
    "icd",
    tag="val/words",
    own=OwnScore("words", "words", lambda one: float(len(one.generated.split()))),
    better="low",
)


def written(stage: str, generated: str = "Two words") -> GeneratedSample:
    nothing = dict.fromkeys(("labels", "labels_reference", "icd", "icd_reference", "scores"))
    texts = dict.fromkeys(("image", "prompt", "reference"), "-")
    where = {"checkpoint": None, "split": "val", "purpose": "case", "case": "s1"}
    return GeneratedSample(stage=stage, step=1, generated=generated, **where, **texts, **nothing)


def test_ids_tags_and_own_ids_are_each_of_one_metric() -> None:
    for found in (
        [metric.id for metric in METRICS],
        [metric.tag for metric in METRICS if metric.tag],
        [metric.own.id for metric in METRICS if metric.own],
    ):
        assert len(set(found)) == len(found)
    ids = {metric.id for metric in METRICS}
    assert not any(other.startswith(f"{one}.") for one in ids for other in ids)
    assert all(metric.tag for metric in METRICS if metric.short)


def test_a_new_one_is_scored_where_it_applies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "METRICS", (*METRICS, WORDS))
    assert WORDS in metrics_of("stage_b") and WORDS not in metrics_of("stage_a")
    scores = scores_of([written("stage_b"), written("stage_b", "One more word now")], None)
    assert scores["length"] == {"words": 3.0} and list(scores)[-1] == "length"
    assert scalars_of(scores)["val/words"] == 3.0
    assert "length" not in scores_of([written("stage_a")], None)
    assert read_and_scored(written("stage_b")).scores == {
        "bleu4": 0.0,
        "rouge_l": 0.0,
        "icd_f1": 1.0,
        "words": 2.0,
    }
    assert "words" not in (read_and_scored(written("stage_a")).scores or {})


def test_what_tells_most_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = {"bleu4": 0.1, "rouge_l": 0.2, "icd_f1": 0.3, "words": 4, "gone": 5.0}
    assert [own.id for _, own, _ in own_scores(stored)] == ["icd_f1", "rouge_l", "bleu4"]
    monkeypatch.setattr(registry, "METRICS", (*METRICS, WORDS))
    assert next((own.id, value) for _, own, value in own_scores(stored)) == ("words", 4.0)
    assert WORDS.goodness(4.0) < WORDS.goodness(3.0)


def test_stored_scores_may_be_damaged() -> None:
    for stored in (None, {}, {"rouge_l": None}, {"rouge_l": "0.4"}, ["rouge_l"]):
        assert own_scores(stored) == []


def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(ValueError, match="stage_z"):
        metrics_of("stage_z")
