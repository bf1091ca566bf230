"""`bench plan` plans and trains what it is asked to, and judges only models that its bar is for."""

import json

import pytest

from cockpit.cli import main

pytestmark = pytest.mark.slow


def test_a_small_model_is_planned_and_trained(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.progress.SPARSE_SECONDS", 0.0)
    assert main(["bench", "plan", "--millions", "1", "--json"]) == 0
    out, err = capfd.readouterr()
    planned, measured, off = json.loads(out)["figures"]
    assert planned["name"].startswith("1 M, 2 × ") and planned["name"].endswith(" tokens: planned")
    assert min(planned["value"], measured["value"]) > 10
    assert off["value"] == pytest.approx(100 * abs(planned["value"] / measured["value"] - 1))
    assert off["bar"] is None
    assert "a model of 1 M" in err
