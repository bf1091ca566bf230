"""A checkpoint is whole or not there, whatever happens to the disk and the process."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import LlavaForConditionalGeneration

from engine.config import RunConfig
from engine.model.convert import convert
from engine.model.lora import adapter_state, trainable
from engine.runs.checkpoints import Standing
from engine.training import checkpoint as checkpoints
from engine.training.checkpoint import newest_valid, write_checkpoint
from engine.training.session import Loaded, load


@pytest.fixture
def loaded(config: RunConfig) -> Loaded:
    return load(config, torch.device("cpu"), None)


@pytest.fixture
def optimizer(loaded: Loaded) -> torch.optim.Optimizer:
    """One that has taken a step, so that it has moments to keep."""
    optimizer = torch.optim.AdamW(trainable(loaded.model).values(), lr=1e-2)
    for number, parameter in enumerate(trainable(loaded.model).values()):
        parameter.grad = torch.full_like(parameter, 0.1 + number)
    optimizer.step()
    return optimizer


@pytest.fixture
def directory(tmp_path: Path, loaded: Loaded, optimizer: torch.optim.Optimizer) -> Path:
    """Three checkpoints, steps 1 to 3."""
    for step in (1, 2, 3):
        write_checkpoint(
            tmp_path / "c", f"stage_a-{step:06d}", loaded.model, optimizer, Standing("stage_a", step, 9)
        )
    return tmp_path / "c"


def test_what_is_written_comes_back(
    directory: Path, loaded: Loaded, optimizer: torch.optim.Optimizer, config
) -> None:
    found, left = newest_valid(directory)
    assert found is not None
    assert (found.name, found.standing.step, left) == ("stage_a-000003", 3, [])
    again = load(config, torch.device("cpu"), found)
    for name, tensor in adapter_state(loaded.model).items():
        assert torch.equal(tensor, adapter_state(again.model)[name]), name
    fresh = torch.optim.AdamW(trainable(again.model).values(), lr=1e-2)
    checkpoints.load_optimizer(found, again.model, fresh)
    for name, parameter in trainable(loaded.model).items():
        for key, value in optimizer.state[parameter].items():
            assert torch.equal(value, fresh.state[trainable(again.model)[name]][key]), (name, key)


@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "no manifest", "broken manifest"])
def test_a_damaged_checkpoint_is_passed_over_and_named(directory: Path, harm: str) -> None:
    newest = directory / "stage_a-000003"
    file = newest / "adapter_model.safetensors"
    content = bytearray(file.read_bytes())
    if harm == "flip":
        content[-5] ^= 1
        file.write_bytes(content)
    elif harm == "cut":
        file.write_bytes(content[:-1])
    elif harm == "remove":
        file.unlink()
    elif harm == "no manifest":
        (newest / "manifest.json").unlink()
    else:
        (newest / "manifest.json").write_text('{"adapter_model')
    found, left = newest_valid(directory)
    assert found is not None
    assert (found.name, left) == ("stage_a-000002", ["stage_a-000003"])


def test_a_failing_write_leaves_the_old_checkpoint_and_no_debris(
    directory: Path, loaded: Loaded, optimizer: torch.optim.Optimizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "_flush", full)
    with pytest.raises(OSError, match="No space"):
        write_checkpoint(
            directory, "stage_a-000003", loaded.model, optimizer, Standing("stage_a", 3, 9, "finished")
        )
    found, _ = newest_valid(directory)
    assert found is not None
    assert found.standing == Standing("stage_a", 3, 9)
    assert sorted(path.name for path in directory.iterdir()) == [f"stage_a-00000{step}" for step in (1, 2, 3)]


def test_a_death_between_the_two_renames_loses_nothing(directory: Path) -> None:
    (directory / "stage_a-000003").rename(directory / ".stage_a-000003.replaced")
    shutil.copytree(directory / "stage_a-000002", directory / ".stage_a-000004.partial")
    found, left = newest_valid(directory)
    assert found is not None
    assert (found.name, left) == ("stage_a-000003", [])
    assert not list(directory.glob(".*"))


def test_rotation_spares_the_ends_of_stages(
    directory: Path, loaded: Loaded, optimizer: torch.optim.Optimizer
) -> None:
    write_checkpoint(
        directory, "stage_a-000002", loaded.model, optimizer, Standing("stage_a", 2, 2, "finished")
    )
    write_checkpoint(directory, "stage_b-000001", loaded.model, optimizer, Standing("stage_b", 1, 9))
    assert checkpoints.rotate(directory, keep=1) == ["stage_a-000003", "stage_a-000001"]
    assert sorted(path.name for path in directory.iterdir()) == ["stage_a-000002", "stage_b-000001"]


def test_files_are_the_owners_alone(directory: Path) -> None:
    for path in (directory / "stage_a-000001").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path


def test_plain_peft_loads_the_adapter(
    directory: Path, loaded: Loaded, config: RunConfig, tmp_path: Path
) -> None:
    convert(config.base_directory, tmp_path / "base")
    base = LlavaForConditionalGeneration.from_pretrained(tmp_path / "base", dtype=torch.float32)
    plain = PeftModel.from_pretrained(base, directory / "stage_a-000003").eval()
    ids = torch.tensor([[1, 40, *[loaded.base.encoder.image_id] * loaded.base.encoder.image_tokens, 50, 60]])
    pixels = torch.rand(1, 3, 160, 160)
    with torch.no_grad():
        theirs = plain(input_ids=ids, pixel_values=pixels).logits
        ours = loaded.model.eval()(input_ids=ids, pixel_values=pixels).logits
        untouched = plain.disable_adapter
        with untouched():
            base_logits = plain(input_ids=ids, pixel_values=pixels).logits
    torch.testing.assert_close(theirs, ours, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(theirs, base_logits, atol=1e-3)


def test_the_manifest_names_every_file(directory: Path) -> None:
    manifest = json.loads((directory / "stage_a-000001" / "manifest.json").read_text())
    files = {path.name for path in (directory / "stage_a-000001").iterdir()} - {"manifest.json"}
    assert (
        set(manifest)
        == files
        == {
            "adapter_config.json",
            "adapter_model.safetensors",
            "optimizer.safetensors",
            "progress.json",
        }
    )
