"""The bench that kills: small, with its controls. The long one is `make soak`."""

import json
from pathlib import Path

import pytest

from cockpit.commands.bench.resume import Finding, lines, measure

pytestmark = pytest.mark.slow


def test_a_pair_of_stages_that_is_killed_ends_the_same_to_the_bit(tmp_path: Path) -> None:
    told: list[str] = []
    found = measure(tmp_path, 1, "small", 0, lambda what, done, total: told.append(what))
    assert found.ok, json.dumps(lines(found), indent=1)
    assert sum(found.kills.values()) == found.resumes == 1
    assert "deaths" in told


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"differences": ["scalar train/loss stage_a 7 differs (1.0 and 2.0)"]}, "identical  no"),
        ({"another_seed": []}, "another seed differs: no"),
        ({"skipped_batch": []}, "a skipped batch is noticed: no"),
        ({"state": "failed"}, "the run is failed"),
    ],
)
def test_what_is_not_well_is_said_and_is_no_success(changed: dict[str, object], says: str) -> None:
    well = {
        "compared": "1 scalar",
        "kills": {"instant": 1},
        "resumes": 1,
        "state": "finished",
        "differences": [],
        "another_seed": ["a"],
        "skipped_batch": ["b"],
    }
    assert Finding(**well).ok  # type: ignore[arg-type]
    assert "identical  yes" in "\n".join(lines(Finding(**well)))  # type: ignore[arg-type]
    found = Finding(**(well | changed))  # type: ignore[arg-type]
    assert not found.ok
    assert says in "\n".join(lines(found))
