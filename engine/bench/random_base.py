"""A base model of random weights in the original's on-disk format: something of a size to hold a plan against.

python -m engine.bench.random_base PARAMETERS --to DIRECTORY
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from engine.config import BUNDLED_BASE
from engine.errors import UserError
from engine.model.llava_mistral import read_config
from engine.model.weight_files import expected_shapes

SHARDS = 3
VOCABULARY = 4096
TOWER_LAYERS = 4


def write_random_base(directory: Path, parameters: int) -> int:
    """Write about `parameters` random bfloat16 weights into the new `directory`; returns how many they are.

    The tokenizer is the bundled base's. Raises `UserError` if the directory is there.
    """
    if directory.exists():
        raise UserError(f"{directory}: exists already; name a new directory")
    (directory / "vision_tower").mkdir(parents=True)
    for file in BUNDLED_BASE.glob("*token*"):
        shutil.copy(file, directory)
    text, tower = dimensions(parameters)
    _write_json(directory / "config.json", _read_json(BUNDLED_BASE / "config.json") | text)
    old = _read_json(BUNDLED_BASE / "vision_tower" / "config.json")
    _write_json(directory / "vision_tower" / "config.json", old | tower)

    draw = torch.Generator().manual_seed(0)
    shapes = expected_shapes(read_config(directory))
    names, total = sorted(shapes), 0
    where: dict[str, str] = {}
    for number in range(SHARDS):
        shard = {name: _weights(shapes[name], draw) for name in names[number::SHARDS]}
        file_name = f"model-{number + 1:05d}-of-{SHARDS:05d}.safetensors"
        save_file(shard, directory / file_name, metadata={"format": "pt"})
        where |= dict.fromkeys(shard, file_name)
        total += sum(tensor.numel() for tensor in shard.values())
    index = {"metadata": {"total_size": 2 * total}, "weight_map": where}
    _write_json(directory / "model.safetensors.index.json", index)
    return total


def dimensions(parameters: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields of the language model's and the tower's config.json for about so many parameters in all.

    The proportions are near Mistral's: heads of 64, four query heads to a key, an MLP of 3.5 widths, about one layer
    for every 64 of width; the tower has half the width and 4 layers.
    """

    def layers_of(width: int) -> float:
        beside = 2 * VOCABULARY * width + 12 * TOWER_LAYERS * (width // 2) ** 2 + 1.5 * width**2
        return (parameters - beside) / (13 * width**2)

    # the width at which the layers that are left to it come nearest to that proportion
    width = min(range(128, 4097, 128), key=lambda one: abs(layers_of(one) - one / 64))
    text = {
        "hidden_size": width,
        "intermediate_size": width * 7 // 2,
        "num_hidden_layers": max(2, round(layers_of(width))),
        "num_attention_heads": width // 64,
        "num_key_value_heads": max(1, width // 256),
        "vocab_size": VOCABULARY,
        "mm_hidden_size": width // 2,
    }
    tower = {
        "hidden_size": width // 2,
        "intermediate_size": 2 * width,
        "num_hidden_layers": TOWER_LAYERS,
        "num_attention_heads": width // 128,
    }
    return text, tower


def _weights(shape: tuple[int, ...], draw: torch.Generator) -> torch.Tensor:
    if len(shape) == 1:
        return torch.ones(shape, dtype=torch.bfloat16)
    return (0.02 * torch.randn(shape, generator=draw)).to(torch.bfloat16)


def _read_json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="random_base", description="write a base model of random weights")
    parser.add_argument("parameters", type=float)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    print(write_random_base(options.to, int(options.parameters)))


if __name__ == "__main__":
    main()
