"""The adapted model without its weights: every shape is the real one, nothing is read but config.json."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import LlavaConfig, LlavaForConditionalGeneration

from engine.config import LoraSection
from engine.errors import UserError
from engine.files.temporary import holder
from engine.model.attention import SAFE_ATTENTION
from engine.model.converted import read_converted_config
from engine.model.json_file import read_object
from engine.model.llava_mistral import read_config
from engine.model.lora import add_adapter

#: config.json of the model the project is for: what it takes can be said before it is fetched.
#: Source: https://huggingface.co/microsoft/llava-med-v1.5-mistral-7b/blob/main/config.json
KNOWN: dict[str, dict[str, Any]] = {
    "llava-med-v1.5-mistral-7b": {
        "model_type": "llava_mistral",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 32000,
        "max_position_embeddings": 32768,
        "rope_theta": 1000000.0,
        "rms_norm_eps": 1e-05,
        "sliding_window": None,
        "tie_word_embeddings": False,
        "mm_hidden_size": 1024,
        "mm_projector_type": "mlp2x_gelu",
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
        "mm_vision_tower": "openai/clip-vit-large-patch14-336",
        "torch_dtype": "bfloat16",
    }
}

#: What config.json may say the weights are stored in.
STORED = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Shapes:
    """What config.json says. stored: the type the weights have on disk. shard: bytes of the largest weights file.

    fetched: whether the directory is there.
    """

    name: str
    llava: LlavaConfig
    vocabulary: int
    stored: torch.dtype
    shard: int
    fetched: bool

    @property
    def image_size(self) -> int:
        return int(self.llava.vision_config.image_size)

    @property
    def layers(self) -> int:
        return int(self.llava.text_config.num_hidden_layers)

    @property
    def tower_layers(self) -> int:
        return int(self.llava.vision_config.num_hidden_layers)

    @property
    def image_tokens(self) -> int:
        return (self.image_size // int(self.llava.vision_config.patch_size)) ** 2


def read_shapes(directory: Path) -> Shapes:
    """The shapes of a base model, original or converted. Raises `UserError` where they cannot be known."""
    if not directory.exists() and directory.name in KNOWN:
        return _known(directory.name)
    raw = _config_of(directory)
    shard = max((one.stat().st_size for one in directory.glob("*.safetensors")), default=0)
    stored = STORED.get(str(raw.get("dtype") or raw.get("torch_dtype")), torch.float32)
    if raw.get("model_type") == "llava":
        config = read_converted_config(directory)
        return Shapes(directory.name, config, int(config.image_token_id), stored, shard, fetched=True)
    original = read_config(directory)
    return Shapes(directory.name, original.llava, original.vocabulary, stored, shard, fetched=True)


def skeleton(shapes: Shapes, directory: Path, lora: LoraSection, precision: torch.dtype) -> PeftModel:
    """The adapted model on the meta device, as `engine.training.loaded.load` makes it on a real one."""
    with torch.device("meta"):
        model = LlavaForConditionalGeneration._from_config(
            shapes.llava, attn_implementation=SAFE_ATTENTION
        ).to(precision)
        model.requires_grad_(False)
        model.name_or_path = str(directory)
        adapted = add_adapter(model, lora, str(directory), seed=0)
    # the real one counts the places of the image in the prompt's ids, which here have no values
    model.model.get_placeholder_mask = _placeholder_mask
    return adapted.to("meta")


def _placeholder_mask(
    input_ids: torch.Tensor, inputs_embeds: torch.Tensor, image_features: torch.Tensor
) -> torch.Tensor:
    return (input_ids == 0).unsqueeze(-1)


def _known(name: str) -> Shapes:
    with holder() as place:
        (place.path / "config.json").write_text(json.dumps(KNOWN[name]), encoding="utf-8")
        original = read_config(place.path)
    return Shapes(name, original.llava, original.vocabulary, torch.bfloat16, 5 * 10**9, fetched=False)


def _config_of(directory: Path) -> dict[str, Any]:
    path = directory / "config.json"
    try:
        return read_object(path)
    except FileNotFoundError:
        raise UserError(
            f"{path}: not there, so the model's shapes are unknown; fetch the model "
            f"(without it only {', '.join(KNOWN)} can be planned)"
        ) from None
