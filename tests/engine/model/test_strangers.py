"""A model directory that somebody else made: nothing of it runs, and no number in it is believed into memory."""

import json
import pickle
import random
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.config import BUNDLED_BASE as BUNDLED
from engine.errors import UserError
from engine.model.inspect import inspect_model
from engine.model.loading import load_base
from engine.model.tokenizer import load_tokenizer
from engine.model.weight_files import headers

FIXTURE = Path(__file__).parents[2] / "fixtures" / "llava_mistral_tiny"


class Touch:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURE, tmp_path / "model"))


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def said(directory: Path) -> str:
    """What `model inspect` tells of a directory it refuses; empty if it looks at it."""
    try:
        inspect_model(directory)
    except UserError as error:
        assert str(directory) in str(error) and "\n" not in str(error) and len(str(error)) < 700
        return str(error)
    return ""


@pytest.mark.parametrize("model_type", ["llava_mistral", "llava"])
def test_nothing_of_it_runs(directory: Path, tmp_path: Path, model_type: str) -> None:
    ran = tmp_path / "ran"
    (directory / "modeling.py").write_text(
        f"open({str(ran)!r}, 'w')\nclass Model: pass\nclass Config: pass\n"
    )
    auto = {"AutoConfig": "modeling.Config", "AutoModelForCausalLM": "modeling.Model"}
    sections: dict[str, dict[str, Any]] = (
        {"text_config": {}, "vision_config": {}} if model_type == "llava" else {}
    )
    change(directory / "config.json", auto_map=auto, model_type=model_type, **sections)
    for shard in directory.glob("model*"):
        shard.unlink()
    for name in ("pytorch_model.bin", "model.pt", "consolidated.00.pth"):
        (directory / name).write_bytes(pickle.dumps(Touch(ran)))
    with pytest.raises((UserError, OSError)):  # transformers, too, finds no safetensors
        load_base(directory, torch.float32)
    assert "no model.safetensors" in said(directory)
    assert not ran.exists()


@pytest.mark.parametrize("length", [2**63, 2**40, 99_000_000])
def test_a_header_is_not_believed_into_memory(directory: Path, length: int) -> None:
    shard = sorted(directory.glob("model-*.safetensors"))[0]
    shard.write_bytes(struct.pack("<Q", length) + shard.read_bytes()[8:])
    assert "cannot be read as safetensors" in said(directory)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000, no size of a model"),
        ({"hidden_size": "64"}, "hidden_size is '64'"),
        ({"vocab_size": -1}, "vocab_size is -1"),
        ({"num_attention_heads": True}, "num_attention_heads is True"),
        ({"mm_vision_tower": "../../elsewhere"}, "neither a known tower"),
        ({"mm_vision_tower": "/etc"}, "neither a known tower"),
        ({"rope_theta": "wide"}, "config.json"),
        ({"rms_norm_eps": 15}, "config.json"),
    ],
)
def test_sizes_and_places_are_checked(directory: Path, fields: dict[str, Any], told: str) -> None:
    change(directory / "config.json", **fields)
    assert told in said(directory)


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff", b"[" * 100_000, b"null", b'{"weight_map": []}'])
@pytest.mark.parametrize("name", ["config.json", "model.safetensors.index.json"])
def test_json_that_is_none_is_named(directory: Path, name: str, content: bytes) -> None:
    (directory / name).write_bytes(content)
    assert name in said(directory)


def test_shards_outside_the_directory_are_refused(directory: Path) -> None:
    change(directory / "model.safetensors.index.json", weight_map={"a": "../secret.safetensors"})
    assert "outside the directory" in said(directory)


def test_any_damage_to_the_configuration_is_read_or_refused(directory: Path) -> None:
    chance = random.Random(11)
    whole = (directory / "config.json").read_bytes()
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(damaged))
            damaged[place : place + chance.randint(0, 3)] = chance.choice(
                [b"", b"9", b"-", b"null", b'"', b"[", b"true", chance.randbytes(1)]
            )
        (directory / "config.json").write_bytes(bytes(damaged))
        said(directory)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer.model"])
def test_any_damage_to_a_tokenizer_is_read_or_refused(directory: Path, name: str) -> None:
    for file in (BUNDLED / "tokenizer.json", BUNDLED / "tokenizer.model", BUNDLED / "tokenizer_config.json"):
        shutil.copy(file, directory)
    if name == "tokenizer.model":
        (directory / "tokenizer.json").unlink()
    whole = (directory / name).read_bytes()
    refused = 0
    for damaged in damages(whole, 60):
        (directory / name).write_bytes(damaged)
        try:
            load_tokenizer(directory).encode("Mild <image> edema.", add_special_tokens=False)
        except UserError as error:
            assert str(directory / name) in str(error) and "\n" not in str(error)
            refused += 1
    assert refused > 20


def test_any_damage_to_a_header_is_read_or_refused(directory: Path) -> None:
    shard = sorted(directory.glob("model-*.safetensors"))[0]
    whole = shard.read_bytes()
    end = 8 + struct.unpack("<Q", whole[:8])[0]
    refused = 0
    for header in damages(whole[8:end], 200):
        shard.write_bytes(struct.pack("<Q", len(header)) + header + whole[end:])
        try:
            headers(directory)
        except UserError as error:
            assert str(shard) in str(error) and "\n" not in str(error)
            refused += 1
    assert refused > 50


def damages(whole: bytes, count: int) -> Iterator[bytes]:
    """The content with a few bytes otherwise, drawn anew each time."""
    chance = random.Random(13)
    for _ in range(count):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(damaged))
            damaged[place : place + chance.randint(0, 6)] = chance.choice(
                [b"", b"9", b"-1", b"null", b'"', b"[", b"true", b"\xff", chance.randbytes(2)]
            )
        yield bytes(damaged)
