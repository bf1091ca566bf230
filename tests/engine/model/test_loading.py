"""Original checkpoints become transformers models that answer as the original implementation did, or are refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoProcessor, LlavaForConditionalGeneration

from engine.errors import UserError
from engine.model import weight_files
from engine.model.convert import convert
from engine.model.image_processor import ImageProcessor
from engine.model.inspect import inspect_model
from engine.model.llava_mistral import read_config

FIXTURE = Path(__file__).parents[2] / "fixtures" / "llava_mistral_tiny"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A copy of the original checkpoint that a test may spoil."""
    return Path(shutil.copytree(FIXTURE, tmp_path / "checkpoint"))


def logits_of(directory: Path, image_id: int, patches: int) -> tuple[np.ndarray, np.ndarray]:
    expected = np.load(FIXTURE / "expected.npz")
    model = LlavaForConditionalGeneration.from_pretrained(directory, dtype=torch.float32).eval()
    ids = [
        i for one in expected["input_ids"][0] for i in ([image_id] * patches if one == -200 else [int(one)])
    ]
    pixels = ImageProcessor.for_tower(FIXTURE / "vision_tower", 56)(Image.open(FIXTURE / "image.png"))
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids]), pixel_values=torch.from_numpy(pixels)[None]).logits
    return logits.numpy()[..., : expected["logits"].shape[-1]], expected["logits"]


def test_pixels_are_those_of_the_original_preprocessing() -> None:
    pixels = ImageProcessor.for_tower(FIXTURE / "vision_tower", 56)(Image.open(FIXTURE / "image.png"))
    np.testing.assert_allclose(pixels, np.load(FIXTURE / "expected.npz")["pixel_values"][0], atol=1e-6)


def test_a_converted_checkpoint_gives_the_original_logits_in_plain_transformers(tmp_path: Path) -> None:
    convert(FIXTURE, tmp_path / "converted")
    config = read_config(FIXTURE).llava
    ours, original = logits_of(tmp_path / "converted", config.image_token_id, config.image_seq_length)
    np.testing.assert_allclose(ours, original, atol=1e-5)


def test_loss_over_the_vocabulary_is_the_originals() -> None:
    from engine.model.loading import _from_pretrained
    from engine.training.batches import Batch
    from engine.training.sampling import loss_of

    original = read_config(FIXTURE)
    expected = np.load(FIXTURE / "expected.npz")
    tensors = dict(weight_files.renamed_tensors(original, torch.float32))
    model = _from_pretrained(None, config=original.llava, state_dict=tensors, dtype=torch.float32)
    patches, image = original.llava.image_seq_length, original.llava.image_token_id
    ids, labels = [], []
    for one, label in zip(expected["input_ids"][0], expected["labels"][0], strict=True):
        ids += [image] * patches if one == -200 else [int(one)]
        labels += [-100] * patches if one == -200 else [int(label)]
    supervised = [place for place, label in enumerate(labels) if label != -100]
    batch = Batch(
        ids=torch.tensor([ids]),
        mask=torch.ones(1, len(ids), dtype=torch.int64),
        pixels=torch.from_numpy(expected["pixel_values"]),
        positions=torch.tensor([[place - 1 for place in supervised]]),
        targets=torch.tensor([[labels[place] for place in supervised]]),
        supervised=len(supervised),
        padding=0.0,
        samples=("fixture",),
    )
    with torch.no_grad():
        loss = loss_of(model, batch, original.vocabulary) / batch.supervised
    assert float(loss) == pytest.approx(float(expected["loss"]), abs=1e-5)


def test_the_config_is_built_field_by_field() -> None:
    text = read_config(FIXTURE).llava.text_config
    assert text.rms_norm_eps == 1e-5
    assert text.sliding_window is None
    assert text.rope_parameters["rope_theta"] == 1e6
    assert text.max_position_embeddings == 32768


def spoil(directory: Path, change: str) -> str:
    """Rename, remove or reshape one tensor; returns its name."""
    name = "model.layers.1.mlp.up_proj.weight"
    index = json.loads((directory / "model.safetensors.index.json").read_text())
    shard = directory / index["weight_map"][name]
    tensors = load_file(shard)
    tensor = tensors.pop(name)
    if change == "renamed":
        tensors[name.replace("up_proj", "upp_proj")] = tensor
    if change == "reshaped":
        tensors[name] = tensor[:-1].contiguous()
    save_file(tensors, shard, metadata={"format": "pt"})
    return name


@pytest.mark.parametrize("change", ["renamed", "removed", "reshaped"])
def test_a_tensor_that_does_not_fit_is_refused_by_name(checkpoint: Path, tmp_path: Path, change: str) -> None:
    name = spoil(checkpoint, change)
    found = inspect_model(checkpoint)
    assert any(name[:30] in one for one in found["missing"] + found["reshaped"]) and not found["ok"]
    with pytest.raises(UserError, match=name.replace("up_proj", "up+_proj")):
        convert(checkpoint, tmp_path / "converted")
    assert not (tmp_path / "converted").exists()
    assert list(tmp_path.glob("*.partial*")) == []


def test_a_missing_shard_is_named(checkpoint: Path) -> None:
    (checkpoint / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(UserError, match=r"model-00002-of-00003\.safetensors"):
        inspect_model(checkpoint)


def test_a_cut_shard_is_named(checkpoint: Path) -> None:
    shard = checkpoint / "model-00003-of-00003.safetensors"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"model-00003-of-00003\.safetensors"):
        inspect_model(checkpoint)


def test_a_converted_directory_names_what_it_asks_of_the_processor(tmp_path: Path) -> None:
    from engine.config import BUNDLED_BASE

    convert(BUNDLED_BASE, tmp_path / "converted")
    processor = AutoProcessor.from_pretrained(tmp_path / "converted")
    image = Image.new("L", (40, 80), 90)
    inputs = processor(images=image, text="[INST] <image>\nWhat? [/INST]", return_tensors="pt")
    model = LlavaForConditionalGeneration.from_pretrained(tmp_path / "converted", dtype=torch.float32)
    places = int((inputs["input_ids"] == model.config.image_token_id).sum())
    assert places == model.config.image_seq_length
    own = ImageProcessor.for_tower(BUNDLED_BASE / "vision_tower", model.config.vision_config.image_size)(
        image
    )
    np.testing.assert_allclose(inputs["pixel_values"][0].numpy(), own, atol=1e-5)
    answer = model.generate(**inputs, max_new_tokens=4, do_sample=False)
    assert all(
        int(token) < read_config(BUNDLED_BASE).vocabulary
        for token in answer[0, inputs["input_ids"].shape[1] :]
    )
