"""The tokenizer of a model directory, whichever of its two forms is there."""

import contextlib
import io
from pathlib import Path

from tokenizers import Tokenizer

from engine.errors import UserError
from engine.model.special_files import refuse_special_files

IMAGE_TOKEN = "<image>"
PAD_TOKEN = "<pad>"


def load_tokenizer(directory: Path) -> Tokenizer:
    """`tokenizer.json` as it is, or sentencepiece's `tokenizer.model` brought into that form.

    Raises `UserError` where neither is there or neither can be read.
    """
    refuse_special_files(directory)
    tokenizer = _read(directory)
    if not tokenizer.get_vocab_size(with_added_tokens=False):  # an empty file is read without complaint
        raise UserError(f"{directory}: the tokenizer has no words; fetch it again")
    # a report that holds "</s>" is text: it must not end a sequence or stand for an image
    tokenizer.encode_special_tokens = True
    return tokenizer


def _read(directory: Path) -> Tokenizer:
    ready = directory / "tokenizer.json"
    if ready.is_file():
        try:
            return Tokenizer.from_file(str(ready))
        except Exception as error:  # tokenizers raises the bare class
            raise UserError(f"{ready}: not a tokenizer file ({error}); fetch it again") from None
    if not (directory / "tokenizer.model").is_file():
        raise UserError(f"{directory}: neither tokenizer.json nor tokenizer.model; fetch one of them")
    from transformers import LlamaTokenizer

    model = directory / "tokenizer.model"
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            tokenizer: Tokenizer = LlamaTokenizer.from_pretrained(str(directory)).backend_tokenizer
    except Exception as error:  # whatever the last of its three readers stumbled over
        raise UserError(f"{model}: not a tokenizer file ({type(error).__name__}); fetch it again") from None
    return tokenizer
