"""`data label` as people call it."""

import csv
import json
import stat
from pathlib import Path

import pytest

from cockpit.cli import main
from engine.data.labels import LABELS

ROWS = "id,impression\n1,Possible edema. No effusion.\n2,\n3,Left pneumothorax.\n"


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    path = tmp_path / "reports.csv"
    path.write_text(ROWS)
    return path


def test_a_line_a_row(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "label", str(reports), "--text-column", "impression", "--json"]) == 0
    said = capsys.readouterr()
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert [row["row"] for row in rows] == [1, 2, 3]
    assert all(tuple(row["labels"]) == LABELS for row in rows)
    assert {name: value for name, value in rows[0]["labels"].items() if value is not None} == {
        "Edema": -1,
        "Pleural Effusion": 0,
    }
    assert set(rows[1]["labels"].values()) == {None}
    assert said.err == "3 rows, 1 without a text\n"


def test_a_table_for_its_owner_only(
    reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels.csv"
    assert main(["data", "label", str(reports), "--text-column", "impression", "--to", str(out)]) == 0
    rows = list(csv.DictReader(out.open()))
    assert [(row["row"], row["Edema"], row["Pleural Effusion"], row["Pneumothorax"]) for row in rows] == [
        ("1", "-1", "0", ""),
        ("2", "", "", ""),
        ("3", "", "", "1"),
    ]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    told = capsys.readouterr().out
    assert "3 rows, 1 without a text" in told
    assert next(line.split() for line in told.splitlines() if line.startswith("Edema")) == [
        "Edema",
        "0",
        "1",
        "0",
        "2",
    ]


def test_the_file_with_the_texts_is_not_written_over(
    reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "label", str(reports), "--text-column", "impression", "--to", str(reports)]) == 2
    assert "is the file with the texts" in capsys.readouterr().err
    assert reports.read_text() == ROWS


def test_a_column_that_is_not_there(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "label", str(reports), "--text-column", "report"]) == 2
    assert "has no column report; it has: id, impression" in capsys.readouterr().err
