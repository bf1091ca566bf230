import math

import pytest

from engine.metrics.text import corpus_bleu, mean_rouge_l, rouge_l, sentence_bleu4


def test_bleu_by_hand() -> None:
    # Tokens: the lungs are clear . (5) against the lungs are not clear . (6)
    generated, references = ["The lungs are clear."], ["The lungs are not clear."]
    brevity = math.exp(1 - 6 / 5)
    assert corpus_bleu(generated, references, order=1) == pytest.approx(brevity)
    assert corpus_bleu(generated, references, order=2) == pytest.approx(brevity * math.sqrt(3 / 4))


def test_bleu4_by_hand_over_a_corpus() -> None:
    # n-gram hits of the first pair: 5/6, 3/5, 2/4, 1/3; of the second 4/4, 3/3, 2/2, 1/1. Equal lengths.
    generated = ["no focal consolidation or large effusion", "the lungs are clear"]
    references = ["no focal consolidation or small effusion", "the lungs are clear"]
    expected = ((5 + 4) / 10 * (3 + 3) / 8 * (2 + 2) / 6 * (1 + 1) / 4) ** 0.25
    assert corpus_bleu(generated, references) == pytest.approx(expected)


def test_bleu_is_cased_and_bounded() -> None:
    same = ["No acute cardiopulmonary process."]
    assert corpus_bleu(same, same) == pytest.approx(1.0)
    assert corpus_bleu(["NO ACUTE"], ["no acute"], order=1) == 0.0
    assert corpus_bleu([""], ["no acute"]) == 0.0


def test_rouge_by_hand() -> None:
    # Longest common subsequence "lungs clear": precision 2/2, recall 2/4.
    assert rouge_l("lungs clear", "the lungs are clear") == pytest.approx(2 / 3)
    assert mean_rouge_l(["lungs clear", "effusion"], ["the lungs are clear", "edema"]) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="no texts"):
        mean_rouge_l([], [])


def test_short_sentence_that_agrees_scores_one() -> None:
    assert sentence_bleu4("No change.", "No change.") == pytest.approx(1.0)
    assert sentence_bleu4("", "No change.") == 0.0
