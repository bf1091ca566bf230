import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.data.curriculum import (
    Sample,
    complete_labels,
    read_curriculum,
    sample_to_json,
    without_ehr,
    write_curriculum,
)
from engine.errors import UserError

SAMPLE = Sample(
    id="s50000001-b",
    subject_id="10000001",
    study_id="50000001",
    stage="stage_b",
    image="files/p10/p10000001/s50000001/a.jpg",
    prompt="Clinical context: 68 M. Creatinine 2.4 (high).\nGive the clinical reasoning.",
    target="Effusion – small.\nICD: J90 Pleural effusion",
    labels=complete_labels({"Pleural Effusion": 1, "Edema": -1, "Pneumothorax": 0}),
    ehr={"age": 68, "text": "68 M. Creatinine 2.4 (high)."},
    icd=("10:J90", "9:4280"),
    split="train",
)


def record(**changes: Any) -> dict[str, Any]:
    fields = {**json.loads(sample_to_json(SAMPLE)), **changes}
    return {name: value for name, value in fields.items() if value is not ...}


def write(path: Path, *records: dict[str, Any] | str) -> Path:
    lines = (line if isinstance(line, str) else json.dumps(line) for line in records)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "curriculum.jsonl"
    samples = [SAMPLE, replace(SAMPLE, id="other", ehr=None, icd=())]
    write_curriculum(path, samples)
    assert read_curriculum(path) == samples


def test_file_is_private_and_no_temporary_stays(tmp_path: Path) -> None:
    path = tmp_path / "new" / "curriculum.jsonl"
    write_curriculum(path, [SAMPLE])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["curriculum.jsonl"]


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "curriculum.jsonl"
    write_curriculum(path, [SAMPLE])
    before = path.read_bytes()

    def broken() -> Any:
        yield replace(SAMPLE, id="other")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_curriculum(path, broken())
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["curriculum.jsonl"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{oops", "broken JSON"),
        ("[1]", "not a JSON object"),
        ("[" * 100_000, "nested too deeply"),
        (record(split=...), "lacks the field split"),
        (record(extra=1), "unknown field extra"),
        (record(prompt=3), "field prompt must be text, not int"),
        (record(target=""), "field target is empty"),
        (record(stage="stage_c"), "unknown stage 'stage_c'"),
        (record(split="validate"), "unknown split 'validate'"),
        (record(image="../../etc/passwd"), r"leaves the image root"),
        (record(image="files/../../x.jpg"), r"leaves the image root"),
        (record(image="/etc/passwd"), "is absolute"),
        (record(image="C:/x.jpg"), "is absolute"),
        (record(image="files\\x.jpg"), "forward slashes"),
        (record(labels=[1]), "field labels must be an object"),
        (record(labels={"Effusion": 1}), "unknown label 'Effusion'"),
        (record(labels={"Edema": 2}), "label Edema must be"),
        (record(labels={"Edema": True}), "label Edema must be"),
        (record(labels={"Edema": [1]}), "label Edema must be"),
        (record(ehr=[]), "field ehr must be an object or null"),
        (record(ehr={"age": 3}), "ehr.text is missing"),
        (record(ehr={"text": "45 F."}), "does not appear in the prompt"),
        (record(icd="J90"), "field icd must be a list"),
        (record(icd=["J90"]), "ICD code 'J90'"),
        (record(icd=[7]), "ICD code 7"),
        (record(), "stands already on line 1"),
        (record(id="other", ehr={"text": "68", "age": float("nan")}), "NaN is not JSON"),
        (record(id="other", target="\ud800"), "surrogates not allowed"),
    ],
)
def test_bad_line_is_named_with_file_number_and_reason(tmp_path: Path, bad: Any, reason: str) -> None:
    path = write(tmp_path / "c.jsonl", record(), bad)
    with pytest.raises(UserError, match=reason) as error:
        read_curriculum(path)
    assert str(error.value).startswith(f"{path}:2: ")
    assert "\n" not in str(error.value)


def test_other_trouble_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read_curriculum(tmp_path / "none.jsonl")
    empty = write(tmp_path / "empty.jsonl", "")
    with pytest.raises(UserError, match="holds no samples"):
        read_curriculum(empty)
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes(b'{"id": "\xe9"}\n')
    with pytest.raises(UserError, match=":1: is not UTF-8"):
        read_curriculum(latin)


def test_missing_label_names_are_unmentioned(tmp_path: Path) -> None:
    (sample,) = read_curriculum(write(tmp_path / "c.jsonl", record(labels={"Edema": 1})))
    assert len(sample.labels) == 14
    assert sample.labels["Edema"] == 1
    assert sample.labels["Fracture"] is None


def test_without_ehr_blanks_exactly_the_context() -> None:
    blank = without_ehr(SAMPLE)
    assert blank.prompt == "Clinical context: not available\nGive the clinical reasoning."
    assert blank.ehr is None
    assert replace(blank, prompt=SAMPLE.prompt, ehr=SAMPLE.ehr) == SAMPLE
    assert without_ehr(blank) is blank
