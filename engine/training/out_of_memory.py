"""What to tell the user when memory ran out: what takes it, and a smaller plan with the same result."""

import math
import resource
from pathlib import Path

import psutil
import torch

from engine.config import RunConfig
from engine.errors import UserError
from engine.model import weight_files
from engine.model.lora import trainable
from engine.runs.layout import RunPaths, command_line, next_free_name
from engine.words.sizes import in_memory

_BYTES = {"float32": 4, "bfloat16": 2}

#: Bytes of a trainable parameter: itself, its gradient and two moments, all float32.
_BYTES_TRAINED = 16

#: How allocators that raise no error of their own say it.
_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


class OutOfMemory(Exception):
    """The message says what takes the memory and what would take less."""


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError | OSError) and any(word in str(error).lower() for word in _WORDS)


def loading_words(config: RunConfig) -> str:
    """For memory that ran out while the base was loaded."""
    precision = config.model.precision
    smaller = (
        "train with --set model.precision=bfloat16: half of it"
        if precision == "float32"
        else "end other programs, or train on a machine with more"
    )
    return (
        f"out of memory while loading: the base takes {_weights(config.base_directory, precision)} in {precision}, "
        f"{_free()} are free; {smaller}"
    )


def training_words(
    config: RunConfig, paths: RunPaths, stage: str, model: torch.nn.Module, evaluating: bool
) -> str:
    """For memory that ran out in a step, or while validating and generating."""
    adapter = sum(parameter.numel() for parameter in trainable(model).values()) * _BYTES_TRAINED
    doing = "while generating and scoring" if evaluating else "in a step"
    runs = paths.root.parent
    words = ["train", str(paths.config), "--from", paths.name, "--run", next_free_name(runs, paths.name)]
    smaller = command_line(*words, *_smaller(config, stage, evaluating), runs=runs)
    return (
        f"out of memory {doing} of {stage}: base {_weights(config.base_directory, config.model.precision)}, adapter "
        f"with gradients and moments {in_memory(adapter)}, {_free()} are free without the step; go on in a new run "
        f"with a smaller plan: `{smaller}`"
    )


def _smaller(config: RunConfig, stage: str, evaluating: bool) -> list[str]:
    """Settings that need less memory, those first that change no result."""
    section = config.stage(stage)
    if evaluating and config.evaluation.batch_size > 1:
        return ["--set", f"evaluation.batch_size={config.evaluation.batch_size // 2}"]
    if section.tokens_per_micro_batch:
        return ["--set", f"stages.{stage}.tokens_per_micro_batch={section.tokens_per_micro_batch // 2 or 1}"]
    if section.batch_size > 1:
        batch = max(size for size in range(1, section.batch_size) if section.batch_size % size == 0)
        pieces = section.accumulation * (section.batch_size // batch)
        return [
            "--set",
            f"stages.{stage}.batch_size={batch}",
            "--set",
            f"stages.{stage}.accumulation={pieces}",
        ]
    if config.model.precision == "float32":
        return ["--set", "model.precision=bfloat16"]
    return ["--set", f"data.max_length={config.data.max_length // 2}"]


def _weights(base: Path, precision: str) -> str:
    try:
        shapes = [shape for shape, _, _ in weight_files.headers(base).values()]
    except UserError:
        return "an unknown amount"
    return in_memory(sum(map(math.prod, shapes)) * _BYTES[precision])


def _free() -> str:
    """What the machine has left, or this process may still ask for where a limit is set on it."""
    free = float(psutil.virtual_memory().available)
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        free = min(free, max(0.0, limit - psutil.Process().memory_info().vms))
    return in_memory(free)
