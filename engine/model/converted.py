"""The format that plain transformers loads: its configuration, and its tensors held against it."""

from pathlib import Path

from huggingface_hub.errors import StrictDataclassError
from transformers import LlavaConfig

from engine.errors import UserError
from engine.model.json_file import read_object
from engine.model.llava_mistral import refuse_absurd_sizes
from engine.model.special_files import refuse_special_files
from engine.model.weight_files import Audit, hold_against, in_memory_shapes, legacy_name, tensors_of


def read_converted_config(directory: Path) -> LlavaConfig:
    """Raises `UserError` where config.json does not describe a LLaVA model."""
    refuse_special_files(directory)
    path = directory / "config.json"
    raw = read_object(path)
    for name in ("text_config", "vision_config"):
        if not isinstance(raw.get(name), dict):
            raise UserError(f"{path}: lacks {name}; convert the model again")
        refuse_absurd_sizes(path, raw[name])
    try:
        return LlavaConfig.from_pretrained(str(directory))
    except (StrictDataclassError, TypeError, ValueError, ArithmeticError, AttributeError, KeyError) as error:
        raise UserError(f"{path}: cannot be used: {' '.join(str(error).split())[:200]}") from None


def audit_converted(directory: Path, config: LlavaConfig) -> Audit:
    """Names and shapes of the files against those of the configuration; names as every release reads them."""
    expected = {
        legacy_name(name) or name: shape for name, shape in in_memory_shapes(config, directory).items()
    }
    found = {
        name if name in expected else legacy_name(name) or name: entry
        for name, entry in tensors_of(directory).items()
    }
    return hold_against(expected, found)
