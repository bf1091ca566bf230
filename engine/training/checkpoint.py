"""Checkpoints that are whole or not there.

Written to a temporary directory beside the target, every file flushed, the manifest (sizes and blake2b) last, read
back and compared, then renamed; only then are older ones rotated. One flipped bit in a safetensors file loads without
a word, so loading walks from the newest to the oldest and takes the first whose manifest agrees.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from engine.model.lora import adapter_state, trainable
from engine.runs.checkpoints import Standing, digest, verifies
from engine.runs.layout import parse_checkpoint_name

MANIFEST = "manifest.json"
PROGRESS = "progress.json"


@dataclass(frozen=True)
class Checkpoint:
    path: Path
    standing: Standing

    @property
    def name(self) -> str:
        return self.path.name


def write_checkpoint(
    directory: Path, name: str, model: PeftModel, optimizer: torch.optim.Optimizer, standing: Standing
) -> Checkpoint:
    """Write or replace `directory/name`. Raises `OSError` or safetensors' error and leaves the old one in place."""
    target, partial = directory / name, directory / f".{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700, parents=True)
    try:
        save_file(adapter_state(model), partial / "adapter_model.safetensors", metadata={"format": "pt"})
        model.peft_config["default"].save_pretrained(str(partial))
        save_file(_optimizer_tensors(model, optimizer), partial / "optimizer.safetensors")
        _write_json(partial / PROGRESS, asdict(standing))
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
        if not verifies(partial):
            raise OSError(f"{partial}: what was written does not read back")
        if target.exists():
            replaced = directory / f".{name}.replaced"
            target.rename(replaced)
            partial.rename(target)
            shutil.rmtree(replaced)
        else:
            partial.rename(target)
        _flush(directory)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Checkpoint(target, standing)


def newest_valid(directory: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that verifies, and the names of newer ones that do not."""
    _recover(directory)
    left: list[str] = []
    for path in _newest_first(directory):
        if verifies(path):
            return read_checkpoint(path), left
        left.append(path.name)
    return None, left


def read_checkpoint(path: Path) -> Checkpoint:
    return Checkpoint(path, Standing(**json.loads((path / PROGRESS).read_text(encoding="utf-8"))))


def load_optimizer(checkpoint: Checkpoint, model: PeftModel, optimizer: torch.optim.Optimizer) -> None:
    """Put the moments of every trainable parameter back, by name."""
    tensors = load_file(checkpoint.path / "optimizer.safetensors")
    for name, parameter in trainable(model).items():
        prefix = f"{name}/"
        state = {
            key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)
        }
        optimizer.state[parameter] = {
            key: tensor if key == "step" else tensor.to(parameter.device) for key, tensor in state.items()
        }


def rotate(directory: Path, keep: int) -> list[str]:
    """Remove rolling checkpoints beyond the newest `keep`; those that end a stage stay. Returns the names removed."""
    rolling = [path for path in _newest_first(directory) if not read_checkpoint(path).standing.ended]
    for path in rolling[keep:]:
        shutil.rmtree(path)
    return [path.name for path in rolling[keep:]]


def size_of(path: Path) -> int:
    """Bytes in all."""
    return sum(file.stat().st_size for file in path.iterdir())


def _recover(directory: Path) -> None:
    """Undo what a death in the middle of a write has left: half-written ones go, a replaced one comes back."""
    for leftover in directory.glob(".stage_*"):
        name = leftover.name.removeprefix(".")
        if name.endswith(".replaced") and not (directory / name.removesuffix(".replaced")).exists():
            leftover.rename(directory / name.removesuffix(".replaced"))
        else:
            shutil.rmtree(leftover)


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
