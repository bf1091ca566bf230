"""Checkpoints that are whole or not there.

Written to a temporary directory beside the target, every file flushed, the manifest (sizes and blake2b) last, read
back and compared, then renamed; only then are older ones rotated. One flipped bit in a safetensors file loads without
a word, so loading walks from the newest to the oldest and takes the first whose manifest agrees.
"""

import errno
import fcntl
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from engine.files.free_space import free_space
from engine.files.removal import remove
from engine.model.lora import adapter_state, save_adapter_config, trainable
from engine.runs.checkpoints import CheckpointMeta, best_names, digest, flaw, read_meta
from engine.runs.layout import parse_checkpoint_name

ADAPTER = "adapter_model.safetensors"
OPTIMIZER = "optimizer.safetensors"
PROGRESS = "progress.json"
MANIFEST = "manifest.json"

#: Ending of the directory that a damaged checkpoint is kept in; no checkpoint's name ends so.
SET_ASIDE = ".damaged"


class NotWritten(OSError):
    """A checkpoint is not on disk, and those before it are as they were. The message is for the user's eyes."""


@dataclass(frozen=True)
class Checkpoint:
    path: Path
    meta: CheckpointMeta

    @property
    def name(self) -> str:
        return self.path.name


def write_checkpoint(
    directory: Path, name: str, model: PeftModel, optimizer: torch.optim.Optimizer, meta: CheckpointMeta
) -> Checkpoint:
    """Write or replace `directory/name`. Raises `NotWritten` and leaves what was there as it was."""
    target, partial, replaced = (directory / each for each in (name, f".{name}.partial", f".{name}.replaced"))
    adapter, moments = adapter_state(model), _optimizer_tensors(model, optimizer)
    try:
        directory.mkdir(mode=0o700, exist_ok=True)  # never its parents: a run that was removed stays removed
        refuse_without_room(directory, _bytes_of(adapter) + _bytes_of(moments))
        remove(partial)
        partial.mkdir(mode=0o700)
        save_file(adapter, partial / ADAPTER, metadata={"format": "pt"})
        save_adapter_config(model, partial)
        save_file(moments, partial / OPTIMIZER)
        _write_json(partial / PROGRESS, meta.as_json())
        files = sorted(path.name for path in partial.iterdir())
        for file in files:
            os.chmod(partial / file, 0o600)
            _flush(partial / file)
        manifest = {
            file: {"bytes": (partial / file).stat().st_size, "blake2b": digest(partial / file)}
            for file in files
        }
        _write_json(partial / MANIFEST, manifest)
        _flush(partial / MANIFEST)
        if wrong := flaw(partial):
            raise OSError(f"what was written does not read back: {wrong}")
        if os.path.lexists(target):
            remove(replaced)  # of an attempt whose last flush failed
            target.rename(replaced)
        partial.rename(target)
        _flush(directory)
    except (OSError, SafetensorError) as error:
        if os.path.lexists(replaced) and not os.path.lexists(target):
            replaced.rename(target)
        with suppress(OSError):
            remove(partial)
        raise NotWritten(f"checkpoint {name} could not be written: {_reason(error)}") from error
    # a death before this line leaves both, which `recover` knows
    with suppress(OSError):
        remove(replaced)
        remove(directory / f"{name}{SET_ASIDE}")
    return Checkpoint(target, meta)


def refuse_without_room(directory: Path, needed: int) -> None:
    """Raises `OSError` unless twice `needed` bytes are free: run.db and the log grow on the same disk."""
    free = free_space(directory)
    if free < 2 * needed:
        raise OSError(
            errno.ENOSPC, f"{free / 1e6:,.1f} MB are free, a checkpoint asks for {2 * needed / 1e6:,.1f} MB"
        )


def recover(directory: Path) -> None:
    """Undo what a death in the middle of a write or a removal has left. Only for the holder of the run's lock."""
    for leftover in directory.glob(".stage_*"):
        name = leftover.name.removeprefix(".")
        if name.endswith(".replaced") and not os.path.lexists(directory / name.removesuffix(".replaced")):
            leftover.rename(directory / name.removesuffix(".replaced"))
        else:
            remove(leftover)


def newest_valid(directory: Path) -> tuple[Checkpoint | None, dict[str, str]]:
    """The newest checkpoint that verifies, and of the newer ones that do not: name and what is wrong."""
    left: dict[str, str] = {}
    for path in _newest_first(directory):
        if wrong := _unusable(path):
            left[path.name] = wrong
        else:
            return read_checkpoint(path), left
    return None, left


def set_aside(directory: Path, names: Iterable[str]) -> None:
    """Rename damaged checkpoints, so that they neither count as the newest nor take the place of a whole one.

    A whole checkpoint of the same name removes them.
    """
    for name in names:
        aside = directory / f"{name}{SET_ASIDE}"
        remove(aside)
        (directory / name).rename(aside)


def read_checkpoint(path: Path) -> Checkpoint:
    return Checkpoint(
        path, CheckpointMeta.from_json(json.loads((path / PROGRESS).read_text(encoding="utf-8")))
    )


def load_optimizer(checkpoint: Checkpoint, model: PeftModel, optimizer: torch.optim.Optimizer) -> None:
    """Put the moments of every trainable parameter back, by name."""
    tensors = load_file(checkpoint.path / OPTIMIZER)
    for name, parameter in trainable(model).items():
        prefix = f"{name}/"
        state = {
            key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)
        }
        optimizer.state[parameter] = {
            key: tensor if key == "step" else tensor.to(parameter.device) for key, tensor in state.items()
        }


def rotate(directory: Path, keep: int, keep_best: bool = False) -> list[str]:
    """Remove rolling checkpoints beyond the newest `keep`. Returns the names removed.

    Those that end a stage stay, and with `keep_best` the one of each stage with the lowest validation loss.
    """
    there = {path.name: read_meta(path) for path in _newest_first(directory)}
    known = {name: meta for name, meta in there.items() if meta}
    spared = best_names(known) if keep_best else set()
    rolling = [name for name, meta in there.items() if not (meta and meta.ended)]
    removed = [name for name in rolling[keep:] if name not in spared]
    for name in removed:
        # under another name first: a death in the midst of it must not leave half a checkpoint
        going = directory / f".{name}.rotated"
        (directory / name).rename(going)
        remove(going)
    return removed


def best_loss(directory: Path, stage: str) -> float | None:
    """The lowest validation loss that a checkpoint of `stage` on disk has."""
    losses = [
        meta.val_loss
        for meta in map(read_meta, _newest_first(directory))
        if meta and meta.stage == stage and meta.val_loss is not None
    ]
    return min((loss for loss in losses if math.isfinite(loss)), default=None)


def size_of(path: Path) -> int:
    """Bytes in all."""
    return sum(file.stat().st_size for file in path.iterdir())


def _unusable(path: Path) -> str | None:
    """What keeps a checkpoint from being loaded: a flaw, or a manifest that leaves out what loading needs."""
    if wrong := flaw(path):
        return wrong
    missing = [file for file in (ADAPTER, OPTIMIZER, PROGRESS) if not (path / file).is_file()]
    if missing:
        return f"{missing[0]} is missing"
    return None if read_meta(path) else f"{PROGRESS} is damaged"


def _newest_first(directory: Path) -> Iterator[Path]:
    """Checkpoint directories by stage and step: modification times do not survive a copy."""
    there = directory.iterdir() if directory.is_dir() else iter(())
    places = {path: parse_checkpoint_name(path.name) for path in there}
    yield from sorted(
        (path for path in places if places[path]), key=lambda path: places[path] or ("", 0), reverse=True
    )


def _optimizer_tensors(model: PeftModel, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for name, parameter in trainable(model).items():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{name}/{key}"] = value.detach().cpu().contiguous()
    return tensors


def _bytes_of(tensors: Mapping[str, torch.Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.chmod(path, 0o600)


def _flush(path: Path) -> None:
    """To the platter: on macOS fsync alone stops at the drive's cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if hasattr(fcntl, "F_FULLFSYNC"):
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
