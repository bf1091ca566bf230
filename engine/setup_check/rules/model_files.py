"""A base model's files, judged from their names, sizes and headers, without loading anything."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from engine.files.json_file import MAX_BYTES, parsed_json, read_json
from engine.files.plain_file import open_plain


class Damaged(Exception):
    """A file is not what its header says."""


def shard_names(directory: Path) -> list[str]:
    """The weight files that the model asks for. `Damaged` if the index cannot be read."""
    index = directory / "model.safetensors.index.json"
    if not index.is_file():
        return ["model.safetensors"]
    try:
        names = sorted(set(read_json(index)["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError, OSError) as error:
        raise Damaged(f"{index.name} cannot be read ({type(error).__name__})") from None
    if any(not isinstance(name, str) or Path(name).name != name for name in names):
        raise Damaged(f"{index.name} names files outside the folder")
    return names


def header(file: Path) -> dict[str, Any]:
    """The tensors of a safetensors file. `Damaged` if the file is shorter or longer than its header says."""
    size = file.stat().st_size
    with open_plain(file, "rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if size < 8 or length > min(size - 8, MAX_BYTES):
            raise Damaged(f"{file.name} is no safetensors file")
        try:
            tensors: dict[str, Any] = parsed_json(opened.read(length))
            tensors.pop("__metadata__", None)
            end = max((int(tensor["data_offsets"][1]) for tensor in tensors.values()), default=0)
        except (ValueError, AttributeError, LookupError, TypeError):
            raise Damaged(f"{file.name} has a damaged header") from None
    if 8 + length + end != size:
        raise Damaged(f"{file.name} has {size:,} bytes, its header says {8 + length + end:,}")
    return tensors


def weight_bytes(directory: Path, bytes_a_number: int) -> int:
    """Memory of all weights held with that many bytes a number; 0 where the files cannot be read."""
    numbers = 0
    try:
        for name in shard_names(directory):
            numbers += sum(math.prod(tensor["shape"]) for tensor in header(directory / name).values())
    except (Damaged, OSError, KeyError, TypeError):
        return 0
    return numbers * bytes_a_number
