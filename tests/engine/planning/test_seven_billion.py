"""The model that the project is for, by its headers alone: files of its real size in which nothing is stored."""

import json
import math
import shutil
import struct
from pathlib import Path

import pytest

from engine.config import BUNDLED_BASE, RunConfig, demo_config_path, load_config
from engine.model.inspect import inspect_model
from engine.model.llava_mistral import read_config
from engine.model.weight_files import expected_shapes
from engine.planning.plan import make_plan
from engine.planning.printing import describe
from engine.planning.skeleton import KNOWN

NAME = "llava-med-v1.5-mistral-7b"
SHARDS = 4


def write_hollow_shard(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """A safetensors file of bfloat16 whose data are a hole in the file."""
    header: dict[str, object] = {}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("hollow") / NAME
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(KNOWN[NAME] | {"image_aspect_ratio": "pad"}))
    shapes = expected_shapes(read_config(directory))
    names = sorted(shapes)
    where: dict[str, str] = {}
    for number in range(SHARDS):
        shard = f"model-{number + 1:05d}-of-{SHARDS:05d}.safetensors"
        own = {name: shapes[name] for name in names[number::SHARDS]}
        write_hollow_shard(directory / shard, own)
        where |= dict.fromkeys(own, shard)
    index = {"metadata": {"total_size": 15_132_438_528}, "weight_map": where}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    shutil.copy(BUNDLED_BASE / "tokenizer.model", directory)
    return directory


def config_of(base: Path) -> RunConfig:
    paths = [f"model.base={base}", f"data.curriculum={base.parent / 'none.jsonl'}"]
    return load_config(demo_config_path().with_name("llava_med_mps.yaml"), paths)


def test_its_headers_are_held_against_its_configuration(base: Path) -> None:
    found = inspect_model(base)
    assert found["ok"] and found["bytes"] == 15_132_438_528 and found["shards"] == SHARDS
    assert not (found["missing"] or found["unexpected"] or found["reshaped"])


def test_a_plan_is_the_same_whether_it_is_there_or_not(base: Path, tmp_path: Path) -> None:
    there = make_plan(config_of(base), tmp_path, compare=False)
    absent = make_plan(config_of(tmp_path / NAME), tmp_path, compare=False)
    assert there.shapes.fetched and not absent.shapes.fetched
    assert there.phases[0] == absent.phases[0] and there.times == absent.times
    assert (
        "model is not there yet" in describe(absent, tmp_path)
        and "is not there" not in describe(there, tmp_path).splitlines()[1]
    )
    parts = there.peak.parts
    assert parts["weights"] == 4 * (15_132_438_528 // 2 + 2 * 64 * 4096)
    assert parts["activations"] > 10 * parts["adapter"]
