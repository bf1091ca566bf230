"""How alike two texts are: BLEU and ROUGE-L. Everything is computed on this machine."""

from collections.abc import Sequence
from functools import cache
from typing import Any


def corpus_bleu(generated: Sequence[str], references: Sequence[str], order: int = 4) -> float:
    """sacrebleu's corpus BLEU up to n-grams of `order`, tokenisation 13a, cased, one reference each; 0…1."""
    return float(_bleu(order).corpus_score(list(generated), [list(references)]).score) / 100


def sentence_bleu4(generated: str, reference: str) -> float:
    """BLEU of one pair, over the n-gram orders that the text is long enough for; 0…1."""
    return float(_sentence_bleu().sentence_score(generated, [reference]).score) / 100


def mean_rouge_l(generated: Sequence[str], references: Sequence[str]) -> float:
    """The mean of rouge_score's ROUGE-L F-measure, no stemming; 0…1. Raises ValueError without texts."""
    if not generated:
        raise ValueError("ROUGE-L of no texts")
    return sum(map(rouge_l, generated, references)) / len(generated)


def rouge_l(generated: str, reference: str) -> float:
    """ROUGE-L F-measure of one pair, 0…1."""
    return float(_rouge().score(reference, generated)["rougeL"].fmeasure)


@cache
def _bleu(order: int) -> Any:
    from sacrebleu.metrics.bleu import BLEU

    # force=True only silences the hint about texts that look tokenised.
    return BLEU(max_ngram_order=order, tokenize="13a", lowercase=False, force=True)


@cache
def _sentence_bleu() -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(tokenize="13a", lowercase=False, effective_order=True)


@cache
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=False)
