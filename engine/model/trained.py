"""The model that a run has made: its base with the adapter of one checkpoint, read without disturbing an engine."""

from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel

from engine.config import RunConfig, load_config
from engine.errors import UserError
from engine.model.loading import Base, load_base
from engine.model.lora import add_adapter, load_adapter
from engine.runs.checkpoints import checkpoint_names, flaw, named_checkpoint
from engine.runs.layout import RunPaths


@dataclass(frozen=True)
class Trained:
    """The adapted model on the CPU, in evaluation mode, nothing of it trainable."""

    base: Base
    model: PeftModel
    config: RunConfig
    checkpoint: Path


def choose_checkpoint(paths: RunPaths, name: str | None) -> Path:
    """The named checkpoint, or the newest whose manifest agrees. Raises `UserError` where there is none.

    Writes nothing: an engine may be at work in the run.
    """
    if name:
        candidates = [named_checkpoint(paths, name)]
    else:
        candidates = [paths.checkpoints / one for one in reversed(checkpoint_names(paths))]
    flaws = []
    for candidate in candidates:
        wrong = flaw(candidate)
        if wrong is None:
            return candidate
        flaws.append(wrong)
    if flaws:
        raise UserError(f"{candidates[0]}: not a whole checkpoint ({flaws[0]}); choose another")
    raise UserError(f"run {paths.name!r} has no checkpoint yet")


def load_trained(paths: RunPaths, checkpoint: str | None) -> Trained:
    """Base and adapter of a checkpoint. Raises `UserError` where they do not fit each other or are not there."""
    config = load_config(paths.config)
    chosen = choose_checkpoint(paths, checkpoint)
    precision = {"float32": torch.float32, "bfloat16": torch.bfloat16}[config.model.precision]
    base = load_base(config.base_directory, precision)
    base.model.requires_grad_(False)
    model = add_adapter(base.model, config.lora, str(config.base_directory), seed=0)
    try:
        load_adapter(model, chosen)
    except FileNotFoundError:
        raise UserError(f"{chosen}: was rotated away while it was read; give the command again") from None
    model.requires_grad_(False)
    model.eval()
    return Trained(base, model, config, chosen)
