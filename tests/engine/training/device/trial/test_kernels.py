"""Single operators against NumPy, and how a wrong one shows whatever its precision."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from engine.training.device.trial.agreement import relative_error, ulps_apart
from engine.training.device.trial.kernels import KERNELS, empty_row_is_finite, kernel_agreements
from engine.training.device.trial.trial import TOLERANCES

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", TOLERANCES)
def test_the_cpu_agrees_with_numpy(name: str) -> None:
    allowed = TOLERANCES[name].kernel
    agreements = list(kernel_agreements(CPU, getattr(torch, name), allowed))
    assert [one.name for one in agreements] == list(KERNELS)
    assert max(one.error for one in agreements) < allowed / 5


@pytest.mark.parametrize(
    ("operator", "spoil", "wrong"),
    [
        ("silu", lambda answer: answer * 1.001, {"silu"}),
        ("gelu", lambda answer: answer + 0.001, {"gelu"}),
        ("softmax", lambda answer: answer.roll(1, -1), {"softmax"}),
        ("cross_entropy", lambda answer: answer / 2, {"cross entropy"}),
        ("layer_norm", torch.zeros_like, {"layer norm"}),
        ("linear", lambda answer: answer * float("nan"), {"linear", "linear, strided", "linear, transposed"}),
    ],
)
def test_an_operator_that_is_wrong_in_every_precision_is_named(
    operator: str, spoil: Any, wrong: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = getattr(functional, operator)
    monkeypatch.setattr(functional, operator, lambda *given, **options: spoil(right(*given, **options)))
    agreements = kernel_agreements(CPU, torch.float32, TOLERANCES["float32"].kernel)
    assert {one.name for one in agreements if not one.well} == wrong


def test_an_optimizer_that_leaves_strided_weights_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self: None)
    agreements = kernel_agreements(CPU, torch.float32, 1e-4)
    assert [one.name for one in agreements if not one.well] == ["AdamW, strided"]


def test_an_empty_row_that_is_nan_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert empty_row_is_finite(CPU)
    monkeypatch.setattr(functional, "scaled_dot_product_attention", lambda query, *_: query * float("nan"))
    assert not empty_row_is_finite(CPU)


def test_errors_are_relative_to_the_whole_tensor() -> None:
    import numpy as np

    reference = np.array([3.0, 4.0, 0.0, 0.0])
    assert relative_error(reference, reference) == 0
    assert relative_error(reference + np.array([0, 0, 0.05, 0]), reference) == pytest.approx(0.01)
    assert relative_error(np.array([0.1]), np.zeros(1)) == pytest.approx(0.1)
    assert relative_error(np.array([np.nan]), np.ones(1)) == float("inf")
    assert relative_error(np.ones(2), np.ones(3)) == float("inf")


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [(1.0, 1.0, 0), (1.0, 1.0 + 2**-23, 1), (0.0, -0.0, 0), (1e-45, -1e-45, 2), (-1.0, -1.0 - 2**-23, 1)],
)
def test_numbers_between_two_are_counted(one: float, other: float, apart: int) -> None:
    assert ulps_apart(torch.tensor([one]), torch.tensor([other])) == apart
