"""The adapted model on its device, as training, evaluation and trials all load it."""

from dataclasses import dataclass

import torch
from accelerate import Accelerator
from peft import PeftModel

from engine.config import RunConfig, freeze, load_config
from engine.model.loading import Base, load_base
from engine.model.lora import add_adapter, checkpoint_activations, load_adapter
from engine.runs.layout import RunPaths
from engine.seeds import seed_for
from engine.training.checkpoint import Checkpoint
from engine.training.device import heap
from engine.training.device.device import device_of

#: Of the frozen base weights, by the configuration's `model.precision`.
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Loaded:
    """The adapted model on its device."""

    base: Base
    model: PeftModel
    accelerator: Accelerator


def frozen_config(paths: RunPaths) -> RunConfig:
    """The run's configuration. Sets torch's threads to its count.

    On the first start that count is settled and written into `config.yaml`, since sums depend on it; so is the order of
    a run that began before orders were written down.
    """
    config = load_config(paths.config)
    if (
        "order" not in config.data.model_fields_set
    ):  # frozen before it was written down, when there was one order
        config = config.model_copy(update={"data": config.data.model_copy(update={"order": "by_length"})})
        freeze(config, paths.config)
    if config.model.threads is None:
        model = config.model.model_copy(update={"threads": torch.get_num_threads()})
        config = config.model_copy(update={"model": model})
        freeze(config, paths.config)
    torch.set_num_threads(config.model.threads or 1)
    return config


def load(config: RunConfig, place: torch.device, checkpoint: Checkpoint | None) -> Loaded:
    """Base and adapter on the device; the adapter fresh from the seed or from a checkpoint.

    For a large base on a CPU it changes how the process's heap gives memory back (`heap.py`), for good.
    """
    if place.type == "cpu" and heap.gives_back(config.base_directory):
        heap.give_back_at_once()
    accelerator = Accelerator(cpu=place.type == "cpu", mixed_precision="no")
    device_of(place).prepare()
    base = load_base(config.base_directory, PRECISIONS[config.model.precision])
    base.model.requires_grad_(False)
    adapted = add_adapter(
        base.model, config.lora, str(config.base_directory), seed_for(config.seed, "adapter") % 2**31
    )
    if config.model.activation_checkpointing:
        checkpoint_activations(adapted)
    if checkpoint:
        load_adapter(adapted, checkpoint.path)
    return Loaded(base, accelerator.prepare(adapted), accelerator)
