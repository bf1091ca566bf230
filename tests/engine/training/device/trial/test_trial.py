"""The trial on the CPU, and with deliberately wrong kernels: it fails and names the tensor."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from engine.runs.device_rates import read_device_rates
from engine.setup_check.finding import Finding
from engine.setup_check.probe.device_trial import Part
from engine.training import sampling
from engine.training.device.device import Cpu, Device, Mps
from engine.training.device.trial import rates, trial
from engine.training.device.trial.model import TrialModel, reference_model, trial_model
from engine.training.device.trial.rates import measure_rates

pytestmark = pytest.mark.slow

CPU = Cpu(torch.device("cpu"))


@pytest.fixture(scope="module")
def tried() -> TrialModel:
    return trial_model(torch.float32, torch.device("cpu"))


@pytest.fixture(scope="module")
def reference() -> TrialModel:
    return reference_model(torch.float32)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates from the smallest product alone."""
    monkeypatch.setattr(rates, "LARGEST", rates.SMALLEST)
    monkeypatch.setattr(rates, "SECONDS", 0.0)


def test_the_cpu_passes_and_its_rates_are_kept(tmp_path: Path, quick: None) -> None:
    said = list(trial.device_trial(CPU, tmp_path / "runs"))
    findings = {one.id: one for one in said if isinstance(one, Finding)}
    parts = [one for one in said if isinstance(one, Part)]
    assert {one.status for one in findings.values()} == {"ok", "info"}
    assert {one.group for one in findings.values()} == {"device"}
    assert "No accelerator: the CPU" in findings["device"].title
    assert "bit-equal" in findings["device-repeat"].found
    assert "4 answers" in findings["device-answers"].found
    assert "MiB before" in findings["device-memory"].found
    assert [part.number for part in parts] == list(range(1, trial.PARTS + 1))
    kept = read_device_rates(tmp_path / "runs")
    assert kept is not None and kept.device == "cpu" and kept.chip
    assert all(value and value > 0 for value in kept.matmul_flops.values())
    json.dumps([one.as_json() for one in findings.values()], allow_nan=False)


def in_float32(right: Callable[..., torch.Tensor], spoil: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The operator as a device with a wrong kernel would have it: the CPU's float64 beside it is right."""

    def operator(tensor: torch.Tensor, *rest: Any, **options: Any) -> torch.Tensor:
        answer = right(tensor, *rest, **options)
        return spoil(answer) if tensor.dtype == torch.float32 else answer

    return operator


WRONG = {
    "silu": (functional, lambda answer: answer * 1.001, "wrong at model.language_model.layers.0.mlp.act_fn"),
    "layer_norm": (functional, lambda answer: answer + 1e-3, "wrong at model.vision_tower.pre_layrnorm"),
    "scaled_dot_product_attention": (
        functional,
        lambda answer: answer.roll(1, -2),
        "wrong at model.vision_tower.encoder.layers.0.self_attn.out_proj",
    ),
    "cross_entropy": (sampling, lambda answer: answer * 1.001, "wrong at loss"),
}


@pytest.mark.parametrize("operator", WRONG)
def test_a_wrong_kernel_fails_the_trial_and_the_tensor_is_named(
    operator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, spoil, words = WRONG[operator]
    monkeypatch.setattr(module, operator, in_float32(getattr(module, operator), spoil))
    finding = next(one for one in trial.model_findings(CPU) if isinstance(one, Finding))
    assert finding.id == "device-float32-forward" and finding.status == "fail"
    assert finding.title.endswith(words) and "wrong numbers" in finding.why


class WrongBackward(torch.autograd.Function):
    """Forward as it should be, a hundredth too much of the gradient."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient * 1.01


def test_a_wrong_gradient_fails_though_the_forward_pass_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functional, "silu", in_float32(functional.silu, WrongBackward.apply))
    said = (one for one in trial.model_findings(CPU) if isinstance(one, Finding))
    forward, gradients = next(said), next(said)
    assert forward.status == "ok"
    assert gradients.id == "device-float32-gradients" and gradients.status == "fail"
    assert "wrong at model.language_model.layers.3.mlp.gate_proj" in gradients.title


def test_steps_that_differ_break_a_promise_on_the_cpu_only(
    tried: TrialModel, mps: Mps, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = itertools.count()
    silu = functional.silu
    monkeypatch.setattr(
        functional, "silu", lambda *given, **more: silu(*given, **more) * (1 + 1e-6 * next(calls))
    )
    ours, theirs = trial.repetition(CPU, tried), trial.repetition(mps, tried)
    assert (ours.status, theirs.status) == ("fail", "warn")
    assert "float32 numbers apart" in ours.found and "most in model." in ours.title


def test_answers_that_differ_are_found(
    tried: TrialModel, reference: TrialModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    silu = functional.silu
    monkeypatch.setattr(functional, "silu", in_float32(silu, lambda answer: answer.roll(1, -1)))
    finding = trial.same_answers(CPU, tried, reference)
    assert finding.status == "fail" and "token" in finding.found


def test_answers_that_part_at_a_tie_are_the_same(
    tried: TrialModel, reference: TrialModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = trial.trial_models.answers(reference, CPU)
    other = wanted.clone()
    other[0, 5] += 1
    given = iter([other, wanted])
    monkeypatch.setattr(trial.trial_models, "answers", lambda *_: next(given))
    monkeypatch.setattr(
        trial.trial_models,
        "next_logits",
        lambda *_: torch.linspace(0, 1e-6, reference.base.vocabulary).fmod(1e-9),
    )
    monkeypatch.setattr(trial, "TIE", 10.0)
    finding = trial.same_answers(CPU, tried, reference)
    assert finding.status == "ok" and "1 part at a tie" in finding.found


def test_random_numbers_that_ignore_the_seed_are_found(mps: Mps, monkeypatch: pytest.MonkeyPatch) -> None:
    assert trial.random_numbers(mps).status == "ok"
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda state: None)
    assert "put back" in trial.random_numbers(mps).title
    draws = itertools.count()
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor([float(next(draws))]))
    assert "seed does not decide" in trial.random_numbers(mps).title


def test_memory_counters_are_held_against_a_tensor(mps: Mps, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the stand-in of torch.mps."""
    finding = trial.memory_counters(mps, mps.memory())
    assert finding.status == "ok" and "limit 384.0 GiB" in finding.found
    monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: 7)
    assert trial.memory_counters(mps, mps.memory()).status == "warn"


def test_operators_that_fell_back_are_listed() -> None:
    words = "The operator 'aten::_foo' has no MPS kernel and will fall back to run on the CPU."
    assert trial.fallbacks(["something else", words, words]).found == "aten::_foo"
    assert trial.fallbacks([]).status == "ok"


def test_a_precision_that_the_device_refuses_has_no_rate(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def product(device: Device, precision: torch.dtype, size: int) -> Any:
        if precision == torch.float16:
            raise RuntimeError("not implemented for 'Half'")
        return type("Product", (), {"seconds": lambda self: 0.5})()

    monkeypatch.setattr(rates, "_Product", product)
    measured = measure_rates(CPU, seconds=1.0).matmul_flops
    assert measured == {"fp32": 4 * 128**3, "bf16": 4 * 128**3, "fp16": None}
    assert "fp16 not there" in next(one for one in _rates(monkeypatch) if isinstance(one, Finding)).title


def _rates(monkeypatch: pytest.MonkeyPatch) -> Iterator[Finding | str]:
    monkeypatch.setattr(trial, "write_device_rates", lambda runs, measured: runs)
    return trial.rates(CPU, Path("runs"))
