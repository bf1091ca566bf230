"""A model directory, original or converted, becomes a `LlavaForConditionalGeneration` that is whole or refused."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import LlavaConfig, LlavaForConditionalGeneration
from transformers.utils import logging as transformers_logging

from engine.data.prompt import PromptEncoder
from engine.errors import UserError
from engine.model import weight_files
from engine.model.attention import SAFE_ATTENTION
from engine.model.converted import read_converted_config
from engine.model.image_processor import ImageProcessor
from engine.model.json_file import read_object
from engine.model.llava_mistral import read_config
from engine.model.tokenizer import IMAGE_TOKEN, load_tokenizer


@dataclass
class Base:
    """A base model with what it takes to feed it.

    vocabulary: ids below it may be generated and count in the loss; the rows above are `<image>`, `<pad>` and fill.
    """

    model: LlavaForConditionalGeneration
    encoder: PromptEncoder
    image_processor: ImageProcessor
    vocabulary: int
    pad_id: int
    tensors: int


def load_base(directory: Path, dtype: torch.dtype) -> Base:
    """Load `directory` on the CPU in `dtype`. Raises `UserError` naming every tensor that is missing or unexpected."""
    model_type = model_type_of(directory)
    if model_type == "llava_mistral":
        return _load_original(directory, dtype)
    if model_type == "llava":
        return _load_converted(directory, dtype)
    raise UserError(f"{directory}: model_type {model_type!r} is neither 'llava_mistral' nor 'llava'")


def _load_original(directory: Path, dtype: torch.dtype) -> Base:
    original = read_config(directory)
    found = weight_files.refuse_unless_complete(original)
    tensors = dict(weight_files.renamed_tensors(original, dtype))
    model = _from_pretrained(None, config=original.llava, state_dict=tensors, dtype=dtype)
    tower = directory / str(original.raw["mm_vision_tower"])
    return _base(directory, model, original.llava, original.vocabulary, tower, found.tensors)


def _load_converted(directory: Path, dtype: torch.dtype) -> Base:
    config = read_converted_config(directory)
    model = _from_pretrained(str(directory), config=config, dtype=dtype)
    return _base(
        directory,
        model,
        config,
        int(config.image_token_id),
        directory,
        len(weight_files.headers(directory)),
    )


def _from_pretrained(source: str | None, **options: Any) -> LlavaForConditionalGeneration:
    """transformers only warns of tensors it invents; here they are refused."""
    transformers_logging.disable_progress_bar()
    model, info = LlavaForConditionalGeneration.from_pretrained(
        source,
        output_loading_info=True,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        attn_implementation=SAFE_ATTENTION,
        **options,
    )
    wrong = {
        word: sorted(map(str, info[word]))
        for word in ("missing_keys", "unexpected_keys", "mismatched_keys")
        if info[word]
    }
    if wrong:
        listed = "; ".join(
            f"{len(names)} {word.replace('_', ' ')}: {', '.join(names[:4])}" for word, names in wrong.items()
        )
        raise UserError(f"{source or 'checkpoint'}: {listed}")
    model.eval()
    return model


def _base(
    directory: Path,
    model: LlavaForConditionalGeneration,
    config: LlavaConfig,
    vocabulary: int,
    tower: Path,
    tensors: int,
) -> Base:
    vision, text = config.vision_config, config.text_config
    model.name_or_path = str(directory)  # PEFT writes it into the adapter
    tokenizer = load_tokenizer(directory)
    named = tokenizer.token_to_id(IMAGE_TOKEN)
    if tokenizer.get_vocab_size(with_added_tokens=False) > vocabulary or (
        named is not None and named != vocabulary
    ):
        raise UserError(f"{directory}: the tokenizer does not fit the model's vocabulary of {vocabulary}")
    encoder = PromptEncoder(
        tokenizer=tokenizer,
        image_tokens=(vision.image_size // vision.patch_size) ** 2,
        image_id=int(config.image_token_id),
        bos_id=int(text.bos_token_id),
        eos_id=int(text.eos_token_id),
    )
    pad = text.pad_token_id if text.pad_token_id is not None else vocabulary + 1
    return Base(
        model, encoder, ImageProcessor.for_tower(tower, vision.image_size), vocabulary, int(pad), tensors
    )


def model_type_of(directory: Path) -> str | None:
    """What config.json calls the model, None where it does not. Raises `UserError` where there is no such file."""
    path = directory / "config.json"
    try:
        model_type: str | None = read_object(path).get("model_type")
        return model_type
    except FileNotFoundError:
        raise UserError(
            f"{directory}: no model here (no config.json); set model.base to a model directory"
        ) from None
