"""How long samples are in tokens, counted with the base model's own tokenizer and without the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cockpit.screens.data.state import Counted
from engine.data.prompt import PromptEncoder
from engine.errors import UserError
from engine.files.json_file import read_json

_KNOWN_TOWERS = {"openai/clip-vit-large-patch14-336": (336, 14)}
"""(image size, patch size) of towers that a model names and does not bring along."""


def encoder_of(base: Path) -> PromptEncoder:
    """The encoder of a model directory. UserError if it has no tokenizer.json or no readable configuration."""
    tokens = base / "tokenizer.json"
    if not tokens.is_file():
        raise UserError(f"{base}: no tokenizer.json, so that lengths are known to the engine alone")
    try:
        config = read_json(base / "config.json")
        size, patch = _vision(base, config)
        text = config.get("text_config", config)
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(tokens))
    except Exception as error:  # tokenizers raises the bare class
        raise UserError(f"{base}: cannot be read as a model ({error})") from None
    tokenizer.encode_special_tokens = True
    # The ids matter to the model alone; a length is the same with any.
    bos, eos = int(text.get("bos_token_id", 1)), int(text.get("eos_token_id", 2))
    return PromptEncoder(tokenizer, (size // patch) ** 2, tokenizer.get_vocab_size(), bos, eos)


def counted(encoder: PromptEncoder, prompt: str, target: str) -> Counted:
    return Counted(encoder.image_tokens, len(encoder.prompt(prompt)), len(encoder.answer(target)))


def _vision(base: Path, config: dict[str, Any]) -> tuple[int, int]:
    """Image size and patch size of the vision tower."""
    if "vision_config" in config:
        found = config["vision_config"]
    else:
        name = str(config["mm_vision_tower"])
        if name in _KNOWN_TOWERS:
            return _KNOWN_TOWERS[name]
        found = read_json(base / name / "config.json")
        found = found.get("vision_config", found)
    return int(found["image_size"]), int(found["patch_size"])
