"""Known failures of engines, from what they said last."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).with_name("failures.yaml")


@dataclass(frozen=True, slots=True)
class Failure:
    """What was the matter, in plain words, and what mends it. Both empty where nothing is known."""

    means: str = ""
    hint: str = ""


def known_failure(said: str) -> Failure:
    """What an error or the last lines of a log stand for."""
    return next((failure for pattern, failure in _patterns() if pattern.search(said)), Failure())


def table() -> list[dict[str, str]]:
    """The entries: match, means, hint, said."""
    from engine.files.yaml_file import read_yaml

    entries: list[dict[str, Any]] = read_yaml(_TABLE)
    return entries


@cache
def _patterns() -> list[tuple[re.Pattern[str], Failure]]:
    return [
        (re.compile(entry["match"], re.IGNORECASE), Failure(entry["means"], entry["hint"]))
        for entry in table()
    ]
