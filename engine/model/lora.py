"""LoRA on the language model's linear layers, and the proof that it sits nowhere else."""

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import LlavaForConditionalGeneration

from engine import pattern
from engine.config import LoraSection
from engine.errors import UserError
from engine.files.plain_file import is_plain

PROJECTOR = "multi_modal_projector"


def add_adapter(
    model: LlavaForConditionalGeneration, section: LoraSection, base_name: str, seed: int
) -> PeftModel:
    """Wrap `model` with a fresh adapter, its A matrices drawn from `seed`. B is zero, so the output is the base's."""
    targets = _modules_meant(model, section)
    torch.manual_seed(seed)
    config = LoraConfig(
        r=section.rank,
        lora_alpha=section.alpha,
        lora_dropout=section.dropout,
        use_rslora=section.rslora,
        target_modules=targets,  # names: PEFT would match an expression without a limit of time
        modules_to_save=[PROJECTOR] if section.train_projector else None,
        bias="none",
        task_type="CAUSAL_LM",
        base_model_name_or_path=base_name,
    )
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        raise UserError(
            f"lora.targets {section.targets!r} fits no module of the model ({str(error).splitlines()[0][:200]})"
        ) from None
    adapted.lora_targets = section.targets
    for name, module in adapted.named_modules():
        if name.endswith(f"{PROJECTOR}.modules_to_save.default"):
            module.register_forward_pre_hook(_cast_to_weights)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    refuse_stray_parameters(adapted, section, targets)
    return adapted


def _modules_meant(model: torch.nn.Module, section: LoraSection) -> list[str]:
    """The modules that `lora.targets` names. Raises `UserError` where it names none, or does not come to an end."""
    try:
        found = pattern.matched(section.targets, (name for name, _ in model.named_modules() if name))
    except TimeoutError:
        raise UserError(
            f"lora.targets {section.targets!r} takes more than {pattern.SECONDS:g} s to match the model's modules; "
            "write it without a repetition inside another"
        ) from None
    except ValueError as error:
        raise UserError(f"lora.targets {section.targets!r}: {error}") from None
    if not found:
        raise UserError(f"lora.targets {section.targets!r} fits no module of the model")
    return found


def _cast_to_weights(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """PEFT casts what goes into its own layers, but not what goes into a module that is trained whole."""
    return tuple(one.to(next(module.parameters()).dtype) for one in inputs)


def refuse_stray_parameters(model: PeftModel, section: LoraSection, targets: Sequence[str]) -> None:
    """Refuse an adapter that trains anything the configuration does not name (a suffix list hits CLIP as well)."""
    meant = frozenset(targets)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        module = name.removeprefix("base_model.model.")
        if ".lora_" in module:
            host = module.split(".lora_")[0]
            if host in meant and "language_model" in host:
                continue
        elif PROJECTOR in module and section.train_projector:
            continue
        raise UserError(
            f"lora.targets {section.targets!r} reaches {module}, which the configuration does not name for training"
        )


def trainable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Trainable parameters by name, in the model's order."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def adapter_state(model: PeftModel) -> dict[str, torch.Tensor]:
    """The adapter's tensors under PEFT's own names, on the CPU."""
    state: dict[str, torch.Tensor] = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}


def save_adapter_config(model: PeftModel, directory: Path, base_name: str | None = None) -> None:
    """PEFT's adapter_config.json, with the targets as the configuration words them: names of modules change with
    transformers' releases. base_name: of the base model, where it is not the one that the adapter was made with.
    """
    config = copy(model.peft_config["default"])
    config.target_modules = str(model.lora_targets)
    if base_name is not None:
        config.base_model_name_or_path = base_name
    config.save_pretrained(str(directory))


def load_adapter(model: PeftModel, directory: Path) -> None:
    """Load `adapter_model.safetensors` into an adapted model, every tensor of it or none.

    PEFT loads what fits and warns about the rest; an adapter of other targets or rank is refused here.
    """
    file = directory / "adapter_model.safetensors"
    if file.exists() and not is_plain(file):
        raise UserError(f"{file}: is no plain file")
    tensors = load_file(file)
    own = {name: tuple(tensor.shape) for name, tensor in adapter_state(model).items()}
    other = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if own != other:
        odd = sorted(set(own) ^ set(other)) or sorted(name for name in own if own[name] != other[name])
        raise UserError(
            f"{directory}: the adapter does not fit this configuration's lora section: {', '.join(odd[:3])}"
        )
    result: Any = set_peft_model_state_dict(model, tensors)
    if result.unexpected_keys:
        raise UserError(
            f"{directory}: the adapter holds unexpected tensors: {', '.join(result.unexpected_keys[:3])}"
        )


def checkpoint_activations(model: PeftModel) -> None:
    """Activation checkpointing: keep only the input of every decoder layer and compute what is inside it again in the
    backward pass; about a third more arithmetic, a fraction of the memory.

    Without re-entrance: the other way needs inputs with gradients and has given NaN on MPS.
    """
    model.get_base_model().activation_checkpointing_enable({"use_reentrant": False})
