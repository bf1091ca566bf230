import csv
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.curriculum import Sample, read_curriculum
from engine.data.importing.import_report import ImportReport
from engine.data.importing.importer import import_curriculum
from engine.data.importing.values import icd_of, labels_of, split_of, stage_meant
from engine.errors import UserError
from engine.stages import STAGE_A, STAGE_B

IMAGE = "files/p10/p10000032/s50414267/02aa804e.jpg"


def imported(
    tmp_path: Path, records: Any, name: str = "in.json", **options: Any
) -> tuple[list[Sample], ImportReport]:
    source = tmp_path / name
    if name.endswith("csv"):
        with source.open("w", newline="") as file:
            writer = csv.DictWriter(file, list({key: None for record in records for key in record}))
            writer.writeheader()
            writer.writerows(records)
    else:
        source.write_text(records if isinstance(records, str) else json.dumps(records))
    report = import_curriculum([source], tmp_path / "out", **options)
    return read_curriculum(tmp_path / "out" / "curriculum.jsonl"), report


def conversation(**extra: Any) -> dict[str, Any]:
    turns = [
        {"from": "human", "value": "<image>\nDescribe the film."},
        {"from": "gpt", "value": "Small left effusion.\nCheXpert: Pleural Effusion"},
    ]
    return {"id": "7", "image": IMAGE, "conversations": turns, **extra}


def test_llava_conversation(tmp_path: Path) -> None:
    (sample,), report = imported(tmp_path, [conversation()])
    assert (sample.id, sample.stage, sample.image) == ("7", "stage_a", IMAGE)
    assert (sample.subject_id, sample.study_id) == ("10000032", "50414267")
    assert sample.prompt == "Describe the film."
    assert sample.target == "Small left effusion.\nCheXpert: Pleural Effusion"
    assert sample.labels["Pleural Effusion"] == 1
    assert sample.labels["Edema"] is None
    assert report.notes["stage A guessed: neither ICD codes nor EHR context are there"] == 1
    assert report.notes["no image root given: images were not looked for"] == 1


def test_llava_conversation_of_stage_b(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "Clinical context: 68 M. Fever.\nWhat is it? <image>"},
        {"role": "assistant", "content": "Pneumonia.\nICD: J18.9 Pneumonia; I50.9 Heart failure"},
    ]
    (sample,), _ = imported(tmp_path, [{"id": "7", "image": IMAGE, "messages": turns}])
    assert sample.stage == "stage_b"
    assert sample.ehr == {"text": "68 M. Fever."}
    assert sample.prompt == "Clinical context: 68 M. Fever.\nWhat is it?"
    assert sample.icd == ("10:J189", "10:I509")


def test_flat_record_of_stage_b(tmp_path: Path) -> None:
    record = {
        "image_path": IMAGE,
        "Question": "What is it?",
        "answer": "Heart failure.",
        "icd_codes": [
            "I50.9 Heart failure, unspecified",
            {"icd_code": "4280", "icd_version": 9, "long_title": "CHF"},
        ],
        "ehr": {"age": 68, "labs": {"Creatinine": 2.4}, "note": None},
        "Patient-ID": 12,
        "split": "validate",
        "hospital": "X",
    }
    (sample,), report = imported(tmp_path, [record])
    assert sample.prompt == "Clinical context: age: 68; labs: Creatinine 2.4.\nWhat is it?"
    assert sample.ehr == {
        "age": 68,
        "labs": {"Creatinine": 2.4},
        "note": None,
        "text": "age: 68; labs: Creatinine 2.4.",
    }
    assert sample.target == "Heart failure.\nICD: I50.9 Heart failure, unspecified; 428.0 CHF"
    assert sample.icd == ("10:I509", "9:4280")
    assert (sample.subject_id, sample.split, sample.stage) == ("12", "val", "stage_b")
    assert report.unknown_fields == {"hospital": 1}


def test_csv_with_label_columns(tmp_path: Path) -> None:
    rows = [
        {"image": IMAGE, "report": "Edema.", "Edema": "1.0", "airspace_opacity": "-1.0", "No Finding": ""},
        {"image": IMAGE, "report": "Clear.", "labels": "No Finding"},
        {"image": IMAGE, "report": "Wires.", "labels": '{"Support Devices": 1, "Wires": 1}'},
    ]
    samples, report = imported(tmp_path, rows, "in.csv")
    assert [sample.target for sample in samples] == [
        "Edema.\nCheXpert: Edema",
        "Clear.\nCheXpert: No Finding",
        "Wires.\nCheXpert: Support Devices",
    ]
    assert samples[0].labels["Lung Opacity"] == -1
    assert samples[0].prompt == STAGE_A.prompt
    assert report.notes["label not understood: Wires"] == 1
    assert len({sample.id for sample in samples}) == 3


def test_json_lines_by_either_name_and_splits_as_keys(tmp_path: Path) -> None:
    lines = (
        "\n".join(json.dumps(conversation(id=str(n), target=f"Report {n}.")) for n in range(2))
        + "\n{broken\n[1]\n"
    )
    for name in ("in.jsonl", "in.json"):
        samples, report = imported(tmp_path, lines, name)
        assert len(samples) == 2
        assert report.dropped == {"broken JSON": 1, "is not a JSON object": 1}
        assert report.first["broken JSON"].endswith(f"{name}:3")
    by_split = {
        "train": [{"image_path": [IMAGE], "report": "A."}],
        "val": [{"image_path": [IMAGE], "report": "B."}],
    }
    samples, report = imported(tmp_path, by_split)
    assert [sample.split for sample in samples] == ["train", "val"]
    assert report.to_json()["patient_overlap"] == 1
    assert report.notes["patient is in another split too"] == 1


def test_mapping_renames_and_sets(tmp_path: Path) -> None:
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        "fields: {target: findings_text, image: film, study_id: gone}\nconstants: {stage: A, split: test}\n"
    )
    record = {"film": IMAGE, "findings_text": "Clear.", "icd": ["J90"], "image": "x"}
    (sample,), report = imported(tmp_path, [record], mapping=mapping)
    assert (sample.image, sample.target, sample.stage, sample.split) == (IMAGE, "Clear.", "stage_a", "test")
    assert report.notes["no record has the field 'gone' of the mapping"] == 1
    assert report.unknown_fields == {"image": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("fields: [a]", "must hold"),
        ("x: y", "must hold"),
        ("", "must hold"),
        ("fields: {report: x}", "unknown field 'report'"),
        ("fields: {", "not valid YAML"),
    ],
)
def test_wrong_mapping(tmp_path: Path, text: str, reason: str) -> None:
    mapping = tmp_path / "map.yaml"
    mapping.write_text(text)
    with pytest.raises(UserError, match=reason) as error:
        imported(tmp_path, [conversation()], mapping=mapping)
    assert "\n" not in str(error.value)


def test_images_are_looked_for_below_the_root(tmp_path: Path) -> None:
    root = tmp_path / "images"
    (root / IMAGE).parent.mkdir(parents=True)
    (root / IMAGE).touch()
    records = [
        {"image": IMAGE, "report": "One."},
        {"image": f"{root}/{IMAGE}", "report": "Two."},
        {"image": f"/data/mimic-cxr-jpg/2.1.0/{IMAGE}", "report": "Three."},
        {"image": "files/p10/gone.jpg", "report": "Four."},
        {"image": "../secret.jpg", "report": "Five."},
        {"report": "Six."},
        {"image": IMAGE},
    ]
    samples, report = imported(tmp_path, records, image_root=root)
    assert [sample.image for sample in samples] == [IMAGE] * 3
    assert report.dropped == {
        "image file missing below the image root": 1,
        "image path leaves the image root ('..')": 1,
        "no image": 1,
        "no target (answer, impression, report …)": 1,
    }
    assert report.read == len(samples) + sum(report.dropped.values())


def test_duplicates_go_and_shared_ids_are_told_apart(tmp_path: Path) -> None:
    twin = conversation(target="Other.")
    samples, report = imported(
        tmp_path, [conversation(), conversation(), twin, conversation(target="Third.")]
    )
    assert [sample.id for sample in samples] == ["7", "7-a", "7-2"]
    assert sum(report.dropped.values()) == 1
    assert report.notes["id met again with another content: a suffix tells them apart"] == 2


def test_split_is_by_patient(tmp_path: Path) -> None:
    records = [
        {"image": "a.jpg", "report": f"{patient}/{n}.", "patient": patient}
        for patient in range(400)
        for n in range(2)
    ]
    records[0]["split"] = "test"
    samples, report = imported(tmp_path, records)
    splits: dict[str, set[str]] = {}
    for sample in samples:
        splits.setdefault(sample.subject_id, set()).add(sample.split)
    assert all(len(own) == 1 for own in splits.values())
    assert splits["0"] == {"test"}
    assert 20 <= sum(own == {"val"} for own in splits.values()) <= 60
    assert report.to_json()["patient_overlap"] == 0


def test_longer_conversations_and_odd_values_are_told(tmp_path: Path) -> None:
    turns = conversation()["conversations"] * 2
    records = [
        conversation(conversations=turns),
        conversation(conversations="what"),
        conversation(conversations=turns[1:2]),
        conversation(stage="third"),
        conversation(split="fold 3"),
        conversation(ehr={"x": float("inf"), "text": "Fever."}),
        conversation(icd="nonsense; J90 Effusion"),
    ]
    samples, report = imported(tmp_path, records)
    assert [sample.stage for sample in samples] == ["stage_a", "stage_b"]
    assert samples[1].icd == ("10:J90",)
    assert report.notes["only the first question and answer of a longer conversation taken"] == 1
    assert report.notes["ICD code not understood: nonsense"] == 1
    assert set(report.dropped) == {
        "conversations are no list of turns",
        "conversation does not begin with a question and its answer",
        "unknown stage 'third'",
        "unknown split 'fold 3'",
        "makes no readable sample: Out of range float values are not JSON compliant",
    }


def test_output_is_private_and_the_report_complete(tmp_path: Path) -> None:
    _, report = imported(
        tmp_path, [conversation(), conversation(image=None), conversation(extra=1, target="New.\x1b[2J")]
    )
    for name in ("curriculum.jsonl", "import.json"):
        assert stat.S_IMODE((tmp_path / "out" / name).stat().st_mode) == 0o600
    written = json.loads((tmp_path / "out" / "import.json").read_text())
    assert written == report.to_json()
    assert (written["read"], written["written"]) == (3, 2)
    text = "\n".join(report.lines())
    assert "fields not understood: extra (1)" in text
    assert "left out: 1 x no image" in text
    assert "\x1b" not in (tmp_path / "out" / "curriculum.jsonl").read_text()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("in.txt", "x", "is neither"),
        ("in.json", "{oops", "broken JSON"),
        ("in.json", '{"a": 1}', "no list of records"),
        ("in.json", "[]", "no record became a sample: none there"),
        ("in.jsonl", '{"image": 3}', "1 x no target"),
        ("in.csv", "", "no record became a sample"),
    ],
)
def test_useless_file_is_one_clear_line(tmp_path: Path, name: str, content: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as error:
        imported(tmp_path, content, name) if not name.endswith("csv") else _csv_of(tmp_path, content)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def _csv_of(tmp_path: Path, content: str) -> None:
    (tmp_path / "in.csv").write_text(content)
    import_curriculum([tmp_path / "in.csv"], tmp_path / "out")


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json: cannot read the file: No such file"):
        import_curriculum([tmp_path / "none.json"], tmp_path / "out")
    with pytest.raises(UserError, match="no such image directory"):
        import_curriculum([tmp_path / "none.json"], tmp_path / "out", image_root=tmp_path / "none")


@pytest.mark.parametrize(
    ("value", "codes", "unknown"),
    [
        ("I50.9, J90", [("10:I509", ""), ("10:J90", "")], []),
        (
            "I50.9 Heart failure, unspecified; 428.0: CHF",
            [("10:I509", "Heart failure, unspecified"), ("9:4280", "CHF")],
            [],
        ),
        (
            ["10:I509", "I509", "4280", "V4581", "E871"],
            [("10:I509", ""), ("9:4280", ""), ("9:V4581", ""), ("10:E871", "")],
            [],
        ),
        ('["J90"]', [("10:J90", "")], []),
        ({"J90": "Effusion"}, [("10:J90", "Effusion")], []),
        ([{"code": "J90", "title": "Effusion"}], [("10:J90", "Effusion")], []),
        (["effusion", 5], [], ["effusion", "5: a number has lost the zeros of its code"]),
        ([{"icd_code": "E8859", "icd_version": 9.0}], [("9:E8859", "")], []),
        ([{"icd_code": "J81", "icd_version": "x"}], [], ["J81 of version x"]),
        ([250.0, "nan", None], [], ["250.0: a number has lost the zeros of its code"]),
    ],
)
def test_icd_of(value: Any, codes: list[tuple[str, str]], unknown: list[str]) -> None:
    found = icd_of(value)
    assert (found.diagnoses, found.unknown) == (codes, unknown)


def test_words_for_labels_stages_and_splits() -> None:
    assert labels_of({"edema": "positive", "PLEURAL_OTHER": 0, "Fracture": None, "Pneumonia": -1.0}) == (
        {"Edema": 1, "Pleural Other": 0, "Fracture": None, "Pneumonia": -1},
        [],
    )
    assert labels_of({"Edema": 2}) == ({}, ["Edema: 2"])
    assert labels_of(5) == ({}, ["5"])
    assert [stage_meant(value) for value in ("A", "stage_b", "Stage 1", 2, "c")] == [
        STAGE_A, STAGE_B, STAGE_A, STAGE_B, None,
    ]  # fmt: skip
    assert [split_of(value) for value in ("Train", "dev", "validate", "test", "x")] == [
        "train",
        "val",
        "val",
        "test",
        None,
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["id", "image", "prompt", "report", "labels", "icd", "ehr", "stage", "split", "conversations", "Edema"]
)


@given(st.lists(st.dictionaries(NAMES, JSON, max_size=6), max_size=4))
def test_any_records_are_counted_and_what_is_written_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]
) -> None:
    tmp_path = tmp_path_factory.mktemp("any")
    good = {"image": IMAGE, "report": "Clear."}
    samples, report = imported(tmp_path, [good, *records])
    assert report.read == 1 + len(records) == len(samples) + sum(report.dropped.values())


def test_a_record_that_is_nested_without_end_is_dropped(tmp_path: Path) -> None:
    whole = {"id": "1", "subject_id": "p", "image": "a.png", "prompt": "q", "target": "t", "ehr": {"age": 4}}
    deep = json.dumps({**whole, "id": "2", "target": "u"}).replace("4", "[" * 900 + "4" + "]" * 900)
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(whole) + "\n" + deep + "\n")
    report = import_curriculum([path], tmp_path / "out")
    assert dict(report.dropped) == {"nested too deeply": 1} and len(report.samples) == 1


def test_what_a_killed_import_left_is_gone_after_the_next(
    killed: Callable[..., None], tmp_path: Path
) -> None:
    source, out = tmp_path / "in.json", tmp_path / "out"
    source.write_text(json.dumps([conversation()]))
    script = (
        "import os; from pathlib import Path; from engine.data.importing.importer import import_curriculum\n"
        "os.fsync = here; import_curriculum([Path(sys.argv[1])], Path(sys.argv[2]))"
    )
    killed(script, source, out)
    assert any(b"effusion" in path.read_bytes() for path in out.rglob("*") if path.is_file())
    with pytest.raises(UserError):
        import_curriculum([tmp_path / "none.json"], out)
    assert list(out.iterdir()) == []
