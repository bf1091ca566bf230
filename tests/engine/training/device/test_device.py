"""The devices: what is chosen, what each is asked, and what MPS needs before and while it trains.

MPS is a stand-in here (see `StandInMps` in conftest.py).
"""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch.nn import functional

from engine.errors import UserError
from engine.model.attention import SAFE_ATTENTION
from engine.training.device import device as devices
from engine.training.device.device import Cpu, Cuda, Device, Mps, choose_device, describe, device_of
from engine.training.device.environment import FALLBACK, HIGH, LOW, prepare_environment
from engine.training.device.trial.model import TrialModel, answers, steps, trial_model


@pytest.fixture(scope="module")
def tried() -> TrialModel:
    return trial_model(torch.float32, torch.device("cpu"))


def seen(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(("cuda", "mps", "best"), [(1, 1, "cuda"), (0, 1, "mps"), (0, 0, "cpu")])
def test_auto_takes_the_best(cuda: bool, mps: bool, best: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen(monkeypatch, cuda, mps)
    assert choose_device("auto").type == best


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    seen(monkeypatch, cuda=False, mps=False)
    with pytest.raises(UserError, match="set it to auto"):
        choose_device("mps")


def test_each_place_has_its_device() -> None:
    assert [type(device_of(torch.device(kind))) for kind in ("cpu", "mps", "cuda")] == [Cpu, Mps, Cuda]


def test_mps_counts_what_torch_counts(mps: Mps, standin: Any) -> None:
    held = torch.ones(2**20)
    counted = mps.memory()
    assert counted["memory/device"] >= held.numel() * 4
    assert counted["memory/device_reserved"] >= counted["memory/device"]
    assert counted["memory/device_limit"] == standin.limit
    assert mps.chip() == "Apple M3 Ultra"
    mps.synchronize()
    assert standin.synchronized == 1


def test_mps_hands_memory_back_at_a_cadence(mps: Mps, standin: Any) -> None:
    for step in range(1, 2 * devices.EMPTY_CACHE_EVERY + 1):
        mps.after_step(step)
    assert standin.emptied == 2


@pytest.mark.parametrize("kind", ["cpu", "mps"])
def test_a_random_state_put_back_draws_the_same(kind: str, mps: Mps) -> None:
    device: Device = mps if kind == "mps" else Cpu(torch.device("cpu"))
    state = device.random_state()
    first = torch.rand(4)
    device.set_random_state(state)
    assert torch.equal(first, torch.rand(4))


def test_a_tensor_beyond_the_limit_is_refused_by_name(mps: Mps) -> None:
    tensors = {"logits": 2**32, "attention of stage_b": 2**32 + 1}
    with pytest.raises(UserError, match=r"attention of stage_b: 4,294,967,297 elements.*batch_size"):
        mps.refuse_too_large(tensors)
    mps.refuse_too_large({"logits": 2**32})
    Cpu(torch.device("cpu")).refuse_too_large(tensors)


def test_an_attempt_keeps_its_machine() -> None:
    about = describe(torch.device("cpu"))
    assert about["device"] == "cpu" and about["chip"] and about["threads"]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, {FALLBACK: "1", HIGH: "1.0", LOW: "0.9"}),
        ({FALLBACK: "0"}, {FALLBACK: "0", HIGH: "1.0", LOW: "0.9"}),
        ({HIGH: "0.7"}, {FALLBACK: "1", HIGH: "0.7", LOW: "0.7"}),
        ({HIGH: "1.3"}, {FALLBACK: "1", HIGH: "1.3", LOW: "0.9"}),
        ({HIGH: "0.0"}, {FALLBACK: "1", HIGH: "0.0"}),
        ({LOW: "1.2"}, {FALLBACK: "1", HIGH: "1.2", LOW: "1.2"}),
        ({LOW: "0.5"}, {FALLBACK: "1", HIGH: "1.0", LOW: "0.5"}),
        ({HIGH: "1.0", LOW: "2.0"}, {FALLBACK: "1", HIGH: "1.0", LOW: "2.0"}),
    ],
)
def test_the_watermarks_fit_each_other(given: dict[str, str], wanted: dict[str, str]) -> None:
    variables = dict(given)
    prepare_environment(variables)
    assert variables == wanted


def test_the_engine_sets_them_before_it_imports_torch() -> None:
    """The variables as they were when the engine's child imported torch."""
    code = (
        "import os, runpy, sys\n"
        "from importlib.abc import MetaPathFinder\n"
        "class Watch(MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch':\n"
        f"            print(*(os.environ.get(one) for one in {(HIGH, LOW, FALLBACK)!r}), flush=True)\n"
        "            os._exit(0)\n"
        "sys.meta_path.insert(0, Watch())\n"
        "sys.argv = ['engine', 'device', '--runs', '/nowhere']\n"
        "runpy.run_module('engine', run_name='__main__')\n"
    )
    clean = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, env=clean)
    assert ended.stdout.split() == ["1.0", "0.9", "1"], ended.stderr


def nan_for_empty_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attention as Apple's GPUs have answered: NaN for a row that may look at nothing."""
    attention = functional.scaled_dot_product_attention

    def answer(query: Any, key: Any, value: Any, attn_mask: Any = None, **options: Any) -> torch.Tensor:
        answered: torch.Tensor = attention(query, key, value, attn_mask=attn_mask, **options)
        if attn_mask is None:
            return answered
        return answered.masked_fill(~attn_mask.any(-1, keepdim=True), float("nan"))

    monkeypatch.setattr(functional, "scaled_dot_product_attention", answer)


def test_padding_on_the_left_is_safe_where_empty_rows_are_nan(
    tried: TrialModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu = Cpu(torch.device("cpu"))
    wanted = answers(tried, cpu)
    nan_for_empty_rows(monkeypatch)
    assert torch.equal(answers(tried, cpu), wanted)
    tried.model.set_attn_implementation("sdpa")
    try:  # what the safe rows are for: without them the same kernel spoils every answer
        assert not torch.equal(answers(tried, cpu), wanted)
    finally:
        tried.model.set_attn_implementation(SAFE_ATTENTION)


def shapes_of_attention(monkeypatch: pytest.MonkeyPatch) -> set[tuple[int, ...]]:
    attention = functional.scaled_dot_product_attention
    shapes: set[tuple[int, ...]] = set()

    def watch(query: Any, key: Any, *rest: Any, **options: Any) -> torch.Tensor:
        shapes.add((*query.shape, *key.shape))
        answered: torch.Tensor = attention(query, key, *rest, **options)
        return answered

    monkeypatch.setattr(functional, "scaled_dot_product_attention", watch)
    return shapes


def test_mps_generates_in_few_shapes_and_says_the_same(
    tried: TrialModel, mps: Mps, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = answers(tried, Cpu(torch.device("cpu")))
    shapes = shapes_of_attention(monkeypatch)
    assert torch.equal(answers(tried, mps), wanted)
    assert len(shapes) == 3  # the film's, the prompts', and one for all that follow


def test_a_bfloat16_base_has_a_float32_adapter_and_learns_with_its_projector() -> None:
    tried = trial_model(torch.bfloat16, torch.device("cpu"))
    weights = {one.dtype for one in tried.model.parameters() if not one.requires_grad}
    trained = [one for one in tried.model.parameters() if one.requires_grad]
    assert weights == {torch.bfloat16} and {one.dtype for one in trained} == {torch.float32}
    assert all(one.is_contiguous() for one in trained)
    changes = steps(tried, fused=True).changes
    assert any("multi_modal_projector" in name for name in changes)
    assert all(bool(change.abs().max() > 0) for change in changes.values())
