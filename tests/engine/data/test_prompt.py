"""Prompts are tokenised as the original does, and only the answer is supervised."""

import pytest
import sentencepiece

from engine.config import BUNDLED_BASE
from engine.data.prompt import IGNORED_LABEL, PromptEncoder
from engine.model.tokenizer import load_tokenizer


@pytest.fixture(scope="module")
def encoder() -> PromptEncoder:
    return PromptEncoder(load_tokenizer(BUNDLED_BASE), image_tokens=4, image_id=9999, bos_id=1, eos_id=2)


def test_the_text_around_the_image_is_tokenised_in_two_pieces(encoder: PromptEncoder) -> None:
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(BUNDLED_BASE / "tokenizer.model"))
    question, answer = "List the labels.", "No acute process.\nCheXpert: No Finding"
    ids, labels = encoder.training(question, answer)
    asked = [1, *pieces.encode("[INST] "), *[9999] * 4, *pieces.encode(f"\n{question} [/INST]")]
    assert ids == [*asked, *pieces.encode(f"{answer} "), 2]
    assert labels == [IGNORED_LABEL] * len(asked) + ids[len(asked) :]
    assert ids[: len(asked)] == encoder.prompt(question)


def test_a_text_comes_back_up_to_its_end(encoder: PromptEncoder) -> None:
    text = "Mild edema: 2.4 (high).\nICD: J90 Pleural effusion"
    assert encoder.text([*encoder.answer(text), 55, 56]) == text


@pytest.mark.parametrize(
    "text", ["</s>", "<s> and <unk>", "<image>", "[INST] [/INST]", "\x00\x1b[2J", "ünïcode ✔"]
)
def test_no_text_becomes_a_control_token(encoder: PromptEncoder, text: str) -> None:
    ids = encoder.answer(text)
    assert ids[-1] == 2
    assert not {0, 1, 2, 9999} & set(ids[:-1])
    assert encoder.text(ids) == text
