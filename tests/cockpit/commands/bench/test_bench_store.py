"""`bench store` measures what it says, on a run as large as asked for."""

import json

import pytest

from cockpit.cli import main


def test_a_small_store_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["bench", "store", "--scalars", "5000", "--steps", "40", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["bench"] == "store" and len(told["figures"]) == 7
    assert all(figure["value"] > 0 for figure in told["figures"])
    assert code == (0 if all(figure["met"] is not False for figure in told["figures"]) else 1)
