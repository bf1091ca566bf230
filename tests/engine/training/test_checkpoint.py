"""A checkpoint is whole or not there, whatever happens to the disk and the process."""

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import LlavaForConditionalGeneration

from engine.config import RunConfig, freeze
from engine.model.convert import convert
from engine.model.lora import adapter_state, trainable
from engine.runs.checkpoints import CheckpointMeta
from engine.training import checkpoint as checkpoints
from engine.training.checkpoint import NotWritten, newest_valid, write_checkpoint
from engine.training.loaded import Loaded, load


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
            tmp_path / "c", f"stage_a-{step:06d}", loaded.model, optimizer, CheckpointMeta("stage_a", step, 9)
        )
    return tmp_path / "c"


def test_what_is_written_comes_back(
    directory: Path, loaded: Loaded, optimizer: torch.optim.Optimizer, config
) -> None:
    found, left = newest_valid(directory)
    assert found is not None
    assert (found.name, found.meta.step, left) == ("stage_a-000003", 3, {})
    again = load(config, torch.device("cpu"), found)
    for name, tensor in adapter_state(loaded.model).items():
        assert torch.equal(tensor, adapter_state(again.model)[name]), name
    fresh = torch.optim.AdamW(trainable(again.model).values(), lr=1e-2)
    checkpoints.load_optimizer(found, again.model, fresh)
    for name, parameter in trainable(loaded.model).items():
        for key, value in optimizer.state[parameter].items():
            assert torch.equal(value, fresh.state[trainable(again.model)[name]][key]), (name, key)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("flip", "adapter_model.safetensors is not what was written"),
        ("cut", "adapter_model.safetensors has"),
        ("remove", "adapter_model.safetensors: No such file"),
        ("never written", "optimizer.safetensors is missing"),
        ("no manifest", "manifest.json is missing"),
        ("broken manifest", "manifest.json is damaged"),
        ("empty manifest", "manifest.json names no file"),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_and_named(directory: Path, harm: str, told: str) -> None:
    newest = directory / "stage_a-000003"
    file, manifest = newest / "adapter_model.safetensors", newest / "manifest.json"
    content = bytearray(file.read_bytes())
    if harm == "flip":
        content[-5] ^= 1
        file.write_bytes(content)
    elif harm == "cut":
        file.write_bytes(content[:-1])
    elif harm == "remove":
        file.unlink()
    elif harm == "never written":
        named = json.loads(manifest.read_text())
        del named["optimizer.safetensors"]
        manifest.write_text(json.dumps(named))
        (newest / "optimizer.safetensors").unlink()
    elif harm == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text('{"adapter_model' if harm == "broken manifest" else "{}")
    found, left = newest_valid(directory)
    assert found is not None
    assert (found.name, list(left)) == ("stage_a-000002", ["stage_a-000003"])
    assert left["stage_a-000003"].startswith(told)


def test_a_damaged_one_kept_aside_is_no_checkpoint_until_a_whole_one_takes_its_place(
    directory: Path, loaded: Loaded, optimizer: torch.optim.Optimizer
) -> None:
    (directory / "stage_a-000003" / "progress.json").unlink()
    _, left = newest_valid(directory)
    checkpoints.set_aside(directory, left)
    assert newest_valid(directory)[1] == {}
    assert checkpoints.rotate(directory, keep=1) == ["stage_a-000001"]
    assert (directory / "stage_a-000003.damaged").is_dir()
    write_checkpoint(directory, "stage_a-000003", loaded.model, optimizer, CheckpointMeta("stage_a", 3, 9))
    assert sorted(path.name for path in directory.iterdir()) == ["stage_a-000002", "stage_a-000003"]


class FullDisk:
    """Lets the first calls through and fails every one from number `at` on, as a full disk does."""

    def __init__(self, at: int) -> None:
        self.at, self.calls = at, 0

    def guard(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def guarded(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls >= self.at:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*arguments, **named)

        monkeypatch.setattr(owner, name, guarded)


def assert_as_before(directory: Path) -> None:
    """The three checkpoints of the fixture, the newest as it was, and nothing beside them."""
    found, left = newest_valid(directory)
    assert found is not None
    assert (found.meta, left) == (CheckpointMeta("stage_a", 3, 9), {})
    assert sorted(path.name for path in directory.iterdir()) == [f"stage_a-00000{step}" for step in (1, 2, 3)]


def test_a_disk_full_at_any_write_leaves_the_old_checkpoint_and_no_debris(
    directory: Path, loaded: Loaded, optimizer: torch.optim.Optimizer
) -> None:
    ended = CheckpointMeta("stage_a", 3, 9, "finished")
    failures = 0
    for at in range(1, 100):
        disk = FullDisk(at)
        with pytest.MonkeyPatch.context() as patch:
            for owner, name in [
                (checkpoints, "save_file"),
                (type(loaded.model.peft_config["default"]), "save_pretrained"),
                (checkpoints, "_write_json"),
                (checkpoints, "_flush"),
                (os, "chmod"),
                (Path, "mkdir"),
            ]:
                disk.guard(patch, owner, name)
            try:
                write_checkpoint(directory, "stage_a-000003", loaded.model, optimizer, ended)
                break
            except NotWritten as error:
                failures += 1
                assert "No space left on device" in str(error)
        if disk.calls == at and at > 1 and newest_valid(directory)[0].meta == ended:  # type: ignore[union-attr]
            continue  # only the flush of the directory failed: it is all there, and told as not safe yet
        assert_as_before(directory)
    assert failures > 10
    assert newest_valid(directory)[0].meta == ended  # type: ignore[union-attr]


@pytest.mark.parametrize("limit", [100, 100_000])
def test_a_real_limit_on_file_sizes_does_no_harm(
    limit: int, directory: Path, loaded: Loaded, optimizer: torch.optim.Optimizer
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(NotWritten):
            write_checkpoint(
                directory,
                "stage_a-000003",
                loaded.model,
                optimizer,
                CheckpointMeta("stage_a", 3, 9, "finished"),
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_as_before(directory)


ON_A_SMALL_DISK = """
import shutil, sys
from pathlib import Path
import torch
from engine.config import load_config
from engine.model.lora import trainable
from engine.runs.checkpoints import CheckpointMeta
from engine.training import checkpoint as checkpoints
from engine.training.loaded import load

disk = Path(sys.argv[1])
model = load(load_config(Path(sys.argv[2])), torch.device("cpu"), None).model
optimizer = torch.optim.AdamW(trainable(model).values())
optimizer.step(lambda: sum(p.sum() for p in trainable(model).values()).backward())

def write(step):
    name = f"stage_a-{step:06d}"
    return checkpoints.write_checkpoint(disk / "c", name, model, optimizer, CheckpointMeta("stage_a", step, 9))

size = checkpoints.size_of(write(1).path)
checkpoints.refuse_without_room = lambda directory, needed: None  # the write itself shall meet the end of the disk
for share in (0.05, 0.5, 0.9):
    (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free - int(share * size)))
    try:
        write(2)
    except checkpoints.NotWritten as error:
        print(error)
    (disk / "ballast").unlink()
    print(checkpoints.newest_valid(disk / "c")[0].name, len(list((disk / "c").iterdir())))
print(write(2).name)
"""


def test_a_small_disk_that_fills_up_in_the_midst_of_a_write(tmp_path: Path, config: RunConfig) -> None:
    """A real one, mounted where only the test's child sees it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    freeze(config, tmp_path / "config.yaml")
    mount = 'mount -t tmpfs -o size=48m tmpfs "$1" && shift && exec "$@"'
    private = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh", str(disk)]
    if not shutil.which("unshare") or subprocess.run([*private, "true"], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    script = [sys.executable, "-P", "-c", ON_A_SMALL_DISK, str(disk), str(tmp_path / "config.yaml")]
    ran = subprocess.run([*private, *script], capture_output=True, text=True, timeout=90)
    assert ran.returncode == 0, ran.stderr
    told = ran.stdout.splitlines()
    assert [line for line in told if "could not be written" not in line] == [
        *["stage_a-000001 1"] * 3,
        "stage_a-000002",
    ]
    assert sum("No space left on device" in line for line in told) == 3, told


def test_free_space_is_asked_for_before_anything_is_written(
    directory: Path, loaded: Loaded, optimizer: torch.optim.Optimizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=1_000_000))
    monkeypatch.setattr(checkpoints, "save_file", lambda *_, **__: pytest.fail("something was written"))
    with pytest.raises(NotWritten, match=r"1\.0 MB are free, a checkpoint asks for \d+\.\d MB"):
        write_checkpoint(
            directory, "stage_a-000004", loaded.model, optimizer, CheckpointMeta("stage_a", 4, 9)
        )
    assert_as_before(directory)


def test_a_death_between_the_two_renames_loses_nothing(directory: Path) -> None:
    (directory / "stage_a-000003").rename(directory / ".stage_a-000003.replaced")
    shutil.copytree(directory / "stage_a-000002", directory / ".stage_a-000004.partial")
    (directory / "stage_a-000001").rename(directory / ".stage_a-000001.rotated")
    (directory / ".stage_a-000005.partial").write_text("no directory")
    checkpoints.recover(directory)
    found, left = newest_valid(directory)
    assert found is not None
    assert (found.name, left) == ("stage_a-000003", {})
    assert not list(directory.glob(".*"))


def test_rotation_spares_the_ends_of_stages(
    directory: Path, loaded: Loaded, optimizer: torch.optim.Optimizer
) -> None:
    write_checkpoint(
        directory, "stage_a-000002", loaded.model, optimizer, CheckpointMeta("stage_a", 2, 2, "finished")
    )
    write_checkpoint(directory, "stage_b-000001", loaded.model, optimizer, CheckpointMeta("stage_b", 1, 9))
    assert checkpoints.rotate(directory, keep=1) == ["stage_a-000003", "stage_a-000001"]
    assert sorted(path.name for path in directory.iterdir()) == ["stage_a-000002", "stage_b-000001"]


def test_rotation_spares_the_lowest_validation_loss_of_each_stage(
    directory: Path, loaded: Loaded, optimizer: torch.optim.Optimizer
) -> None:
    for stage, step, loss in (
        ("stage_a", 1, 1.5),
        ("stage_a", 2, 1.2),
        ("stage_b", 1, 0.7),
        ("stage_b", 2, 0.7),
    ):
        meta = CheckpointMeta(stage, step, 9, val_loss=loss)
        write_checkpoint(directory, f"{stage}-{step:06d}", loaded.model, optimizer, meta)
    assert checkpoints.best_loss(directory, "stage_a") == 1.2
    assert checkpoints.rotate(directory, keep=1, keep_best=True) == ["stage_a-000003", "stage_a-000001"]
    kept = sorted(path.name for path in directory.iterdir())
    assert kept == ["stage_a-000002", "stage_b-000001", "stage_b-000002"]
    assert checkpoints.rotate(directory, keep=1) == ["stage_b-000001", "stage_a-000002"]


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
