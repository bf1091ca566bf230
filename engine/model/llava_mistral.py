"""The on-disk format of llava-med-v1.5-mistral-7b: its config and its tensor names, and what transformers calls them.

`model_type: llava_mistral` is not known to transformers, which would load such a directory as a randomly
initialised model with no more than a warning. So the configuration is built here field by field (several
defaults of `MistralConfig` are wrong for Mistral-7B-Instruct-v0.2), every tensor is named, and whatever is
missing, unexpected or of another shape is refused by name.
"""

import re
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import CLIPVisionConfig, LlavaConfig, MistralConfig

from engine.errors import UserError
from engine.model.json_file import read_object

#: Original name -> the name every transformers release since LLaVA was added reads from disk.
KEY_MAPPING: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^model\.vision_tower\.vision_tower\."), "vision_tower."),
    (re.compile(r"^model\.mm_projector\.0\."), "multi_modal_projector.linear_1."),
    (re.compile(r"^model\.mm_projector\.2\."), "multi_modal_projector.linear_2."),
    (re.compile(r"^model\.(embed_tokens|layers|norm)\."), r"language_model.model.\1."),
    (re.compile(r"^lm_head\."), "language_model.lm_head."),
)

#: Buffers that some releases of the original code saved and that are computed, not learned.
IGNORED = re.compile(r"(rotary_emb\.inv_freq|embeddings\.position_ids|model\.image_newline)$")

#: Towers that `mm_vision_tower` may name by hub name; nothing is downloaded for them.
KNOWN_TOWERS: dict[str, dict[str, Any]] = {
    "openai/clip-vit-large-patch14-336": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "image_size": 336,
        "patch_size": 14,
        "projection_dim": 768,
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
    },
}

#: `<image>` and `<pad>` follow the vocabulary; the rows are filled up to a multiple of this, as the official
#: conversion does.
VOCABULARY_MULTIPLE = 64


@dataclass(frozen=True)
class OriginalConfig:
    """What a `llava_mistral` config.json says, and what follows from it."""

    directory: Path
    raw: dict[str, Any]
    llava: LlavaConfig
    vocabulary: int  # rows of the checkpoint's own embedding


def read_config(directory: Path) -> OriginalConfig:
    """Read `config.json` of an original checkpoint and build the transformers configuration for it.

    Raises `UserError` where the directory is not of this format.
    """
    path = directory / "config.json"
    try:
        raw = read_object(path)
    except FileNotFoundError:
        raise UserError(
            f"{directory}: no config.json; a model directory holds config.json and safetensors shards"
        ) from None
    if raw.get("model_type") != "llava_mistral":
        raise UserError(f"{path}: model_type is {raw.get('model_type')!r}, expected 'llava_mistral'")
    if raw.get("mm_projector_type") != "mlp2x_gelu":
        raise UserError(
            f"{path}: mm_projector_type {raw.get('mm_projector_type')!r} is not supported, only 'mlp2x_gelu'"
        )
    if raw.get("mm_vision_select_feature", "patch") != "patch":
        raise UserError(
            f"{path}: mm_vision_select_feature {raw['mm_vision_select_feature']!r} is not supported, only 'patch'"
        )
    if raw.get("mm_use_im_start_end"):
        raise UserError(f"{path}: mm_use_im_start_end is set; this format is not supported")
    missing = [key for key in _TEXT_FIELDS if key not in raw]
    if missing:
        raise UserError(f"{path}: lacks {', '.join(missing)}; fetch the file again")
    refuse_absurd_sizes(path, raw)
    try:
        return _original(directory, raw)
    except (TypeError, ValueError, ArithmeticError, AttributeError, StrictDataclassError) as error:
        raise UserError(f"{path}: cannot be used: {' '.join(str(error).split())[:200]}") from None


def refuse_absurd_sizes(path: Path, raw: dict[str, Any]) -> None:
    """Sizes that no model has would be built in memory before anything is compared with a file."""
    for key in _SIZES:
        value = raw.get(key)
        if value is not None and (type(value) is not int or not 0 < value <= _SIZES[key]):
            raise UserError(f"{path}: {key} is {reprlib.repr(value)}, no size of a model")


def _original(directory: Path, raw: dict[str, Any]) -> OriginalConfig:
    path = directory / "config.json"
    vision = _vision_config(directory, raw)
    if vision.hidden_size != raw.get("mm_hidden_size"):
        raise UserError(
            f"{path}: mm_hidden_size {raw.get('mm_hidden_size')} does not fit the vision tower's {vision.hidden_size}"
        )
    vocabulary = int(raw["vocab_size"])
    rows = -(-(vocabulary + 2) // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE
    llava = LlavaConfig(
        text_config=_text_config(raw, rows, pad=vocabulary + 1),
        vision_config=vision,
        image_token_index=vocabulary,
        image_seq_length=(vision.image_size // vision.patch_size) ** 2,
        vision_feature_layer=raw.get("mm_vision_select_layer", -2),
        vision_feature_select_strategy="default",  # drops the class token: "patch" in the original's words
        projector_hidden_act="gelu",
        multimodal_projector_bias=True,
        pad_token_id=vocabulary + 1,
        tie_word_embeddings=bool(raw.get("tie_word_embeddings", False)),
    )
    llava.architectures = ["LlavaForConditionalGeneration"]
    return OriginalConfig(directory, raw, llava, vocabulary)


def target_name(original: str) -> str | None:
    """The transformers name of an original tensor; None where the name is none of the format's."""
    for pattern, replacement in KEY_MAPPING:
        renamed, count = pattern.subn(replacement, original)
        if count:
            return renamed
    return None


_TEXT_FIELDS = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "vocab_size", "max_position_embeddings", "rope_theta", "rms_norm_eps",
)  # fmt: skip

_SIZES = {
    "hidden_size": 100_000,
    "intermediate_size": 1_000_000,
    "num_hidden_layers": 1000,
    "num_attention_heads": 10_000,
    "num_key_value_heads": 10_000,
    "vocab_size": 10_000_000,
    "max_position_embeddings": 100_000_000,
    "image_size": 10_000,
    "patch_size": 1000,
    "num_channels": 100,
    "projection_dim": 100_000,
}
"""What a model's sizes stay below."""


def _text_config(raw: dict[str, Any], rows: int, pad: int) -> MistralConfig:
    return MistralConfig(
        vocab_size=rows,
        hidden_size=raw["hidden_size"],
        intermediate_size=raw["intermediate_size"],
        num_hidden_layers=raw["num_hidden_layers"],
        num_attention_heads=raw["num_attention_heads"],
        num_key_value_heads=raw["num_key_value_heads"],
        head_dim=raw.get("head_dim") or raw["hidden_size"] // raw["num_attention_heads"],
        hidden_act=raw.get("hidden_act", "silu"),
        max_position_embeddings=raw["max_position_embeddings"],
        initializer_range=raw.get("initializer_range", 0.02),
        rms_norm_eps=raw["rms_norm_eps"],
        rope_parameters={"rope_type": "default", "rope_theta": raw["rope_theta"]},
        sliding_window=raw.get("sliding_window"),
        attention_dropout=raw.get("attention_dropout", 0.0),
        bos_token_id=raw.get("bos_token_id", 1),
        eos_token_id=raw.get("eos_token_id", 2),
        pad_token_id=pad,
        tie_word_embeddings=bool(raw.get("tie_word_embeddings", False)),
        use_cache=True,
    )


def _vision_config(directory: Path, raw: dict[str, Any]) -> CLIPVisionConfig:
    name = raw.get("mm_vision_tower")
    if name in KNOWN_TOWERS:
        return CLIPVisionConfig(**KNOWN_TOWERS[name])
    path = directory / str(name) / "config.json"
    if ".." in Path(str(name)).parts or Path(str(name)).is_absolute() or not path.is_file():
        known = ", ".join(KNOWN_TOWERS)
        raise UserError(
            f"{directory / 'config.json'}: mm_vision_tower {name!r} is neither a known tower ({known}) "
            "nor a directory with a CLIP config.json"
        )
    fields = read_object(path)
    fields = fields.get("vision_config", fields)
    refuse_absurd_sizes(path, fields)
    return CLIPVisionConfig(**{key: fields[key] for key in _VISION_FIELDS if key in fields})


_VISION_FIELDS = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_channels", "image_size",
    "patch_size", "projection_dim", "hidden_act", "layer_norm_eps", "attention_dropout", "initializer_range",
    "initializer_factor",
)  # fmt: skip
