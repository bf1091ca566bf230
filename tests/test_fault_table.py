"""The table of faults in docs/faults.md names tests that are there."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TABLE = (HERE.parent / "docs" / "faults.md").read_text(encoding="utf-8")
ROWS = [line for line in TABLE.splitlines() if line.startswith("|")][2:]


def named(row: str) -> list[tuple[str, str]]:
    """(file, name) of each test in a row's last column; `…` stands for the file before, and for a name's rest."""
    file, found = "", []
    for words in re.findall(r"`([^`]+)`", row.strip("| ").rpartition("|")[2]):
        if "::" in words:
            given, _, name = words.partition("::")
            file = file if given == "…" else given
        elif words.startswith("…"):
            name = words
        else:
            continue  # a command
        found.append((file, name))
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip(" `")[:40])
def test_the_named_tests_exist(row: str) -> None:
    assert row.count("|") == 5 and named(row), row
    for file, name in named(row):
        places = list(HERE.rglob(file))
        assert len(places) == 1, file
        pattern = ".*".join(map(re.escape, name.replace("test_", "", 1).split("…")))
        ending = "" if name.endswith("…") else r"\("
        assert re.search(rf"def test_{pattern}{ending}", places[0].read_text(encoding="utf-8")), name


def test_there_is_a_table() -> None:
    assert len(ROWS) > 5
