"""The verb `plan`: reads, plans, prints."""

import json
from collections.abc import Sequence
from pathlib import Path

from engine.config import load_config
from engine.planning.plan import make_plan
from engine.planning.printing import as_json as plan_as_json
from engine.planning.printing import compared, describe, total_seconds


def plan(
    path: Path,
    runs: Path,
    *,
    stages: Sequence[str],
    what_if: Sequence[str],
    limit: int | None,
    as_json: bool,
) -> int:
    """Print the plan of a configuration; with `what_if`, of it changed so, beside how it is.

    Exit code 1 where the run is known not to fit.
    """
    found = make_plan(load_config(path, what_if, "--what-if"), runs, stages, limit=limit)
    before = None
    if what_if:
        before = make_plan(load_config(path), runs, stages, limit=limit, compare=False)
    if as_json:
        told = plan_as_json(found)
        if before:
            told["as_it_is"] = {"peak_bytes": before.peak.total, "seconds": total_seconds(before)}
        print(json.dumps(told, indent=2))
    else:
        print(describe(found, runs))
        if before:
            print(compared(before, found, what_if))
    return 1 if found.fits is False else 0
