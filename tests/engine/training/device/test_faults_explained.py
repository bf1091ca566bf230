"""What is known of a device before a run: faults of its torch, and tensors beyond its limit. MPS is a stand-in."""

import platform

import pytest
import torch

from engine.config import RunConfig
from engine.data.curriculum import read_curriculum
from engine.errors import UserError
from engine.training.batches import Encoded
from engine.training.device.device import Cpu, Mps
from engine.training.device.faults import known_faults, largest_tensors


def on_a_mac(monkeypatch: pytest.MonkeyPatch, version: str, macos: str) -> None:
    monkeypatch.setattr(torch, "__version__", version)
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(platform, "mac_ver", lambda: (macos, ("", "", ""), "arm64"))


def test_a_fault_is_told_where_it_applies(mps: Mps, monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_mac(monkeypatch, "2.13.0", "27.0")
    (line,) = known_faults(mps)
    assert "torch 2.13.0 aborts on macOS 27.0" in line and "Apple's graph library" in line
    assert known_faults(Cpu(torch.device("cpu"))) == []


def test_a_good_torch_has_none(mps: Mps, monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_mac(monkeypatch, "2.14.1", "15.2")
    assert known_faults(mps) == []


def test_the_largest_tensors_of_a_run(config: RunConfig, mps: Mps) -> None:
    sample = read_curriculum(config.data.curriculum)[0]
    encoded = [Encoded(sample, tuple(range(200)), (-100,) * 150 + (1,) * 50)]
    together = max(config.stages.stage_a.batch_size, config.evaluation.batch_size)
    tensors = largest_tensors(config, 32, 32_000, [encoded, []])
    assert config.data.length_multiple == 32
    assert list(tensors.values()) == [together * 32 * 224**2, together * 50 * 32_000]
    assert all(sample.stage in name for name in tensors)
    mps.refuse_too_large(tensors)
    too_many = config.model_copy(
        update={"evaluation": config.evaluation.model_copy(update={"batch_size": 10_000})}
    )
    with pytest.raises(UserError, match=rf"attention of {sample.stage}, 10000 samples.*batch_size"):
        mps.refuse_too_large(largest_tensors(too_many, 32, 32_000, [encoded]))
