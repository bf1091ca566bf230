import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps

from cockpit.cli import main
from engine.data.curriculum import Sample, complete_labels, write_curriculum
from engine.data.inspect.films import film_finding
from engine.data.inspect.findings import KINDS
from engine.data.inspect.inspect import inspect_curriculum
from engine.data.inspect.leaks import COLUMNS
from engine.data.mimic.build import build_curriculum
from engine.phantom.dataset import write_dataset

A = Sample(
    id="s50000001-a",
    subject_id="10000001",
    study_id="50000001",
    stage="stage_a",
    image="files/p10/p10000001/s50000001/a.jpg",
    prompt="Write the impression.",
    target="Moderate left pleural effusion with edema.\nCheXpert: Pleural Effusion",
    labels=complete_labels({"Pleural Effusion": 1, "Edema": -1}),
    ehr=None,
    icd=(),
    split="train",
)
CONTEXT = "68 M. Creatinine 2.4 (high). History: Heart failure, unspecified."
B = Sample(
    id="s50000001-b",
    subject_id="10000001",
    study_id="50000001",
    stage="stage_b",
    image="files/p10/p10000001/s50000001/a.jpg",
    prompt=f"Clinical context: {CONTEXT}\nGive the diagnoses.",
    target="Moderate left pleural effusion with edema.\nICD: I50.9 Heart failure, unspecified; J90 Effusion, other",
    labels=A.labels,
    ehr={"age": 68, "history": ["Heart failure, unspecified"], "text": CONTEXT},
    icd=("10:I509", "10:J90"),
    split="train",
)


def found(tmp_path: Path, *samples: Sample, **options: Any) -> set[str]:
    write_curriculum(tmp_path / "curriculum.jsonl", samples)
    return set(inspect_curriculum(tmp_path / "curriculum.jsonl", **options).findings.counts)


def told(text: str, **ehr: Any) -> Sample:
    return replace(B, prompt=f"{text}\nGive the diagnoses.", ehr={"text": text, **ehr})


def test_a_sound_curriculum_has_no_findings(tmp_path: Path) -> None:
    assert found(tmp_path, A, B) == set()


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_of_after_the_film_is_found(tmp_path: Path, column: str) -> None:
    assert B.ehr
    assert found(tmp_path, told(CONTEXT, stay=[{column.upper(): "x"}], history=B.ehr["history"])) == {
        "leak-column"
    }


@pytest.mark.parametrize(
    ("ehr", "kinds"),
    [
        ({"taken": "2150-01-05 10:00:00", "labs": [{"storetime": "2150-01-05 10:00:01"}]}, {"leak-time"}),
        (
            {"taken": "2150-01-05T10:00:00", "vitals": {"HR": {"charttime": "2150-01-05 11:00"}}},
            {"leak-time"},
        ),
        (
            {"StudyDate": 21500105, "StudyTime": 5556.875, "labs": [{"charttime": "2150-01-05 01:00:00"}]},
            {"leak-time"},
        ),
        (
            {"StudyDate": "21500105", "StudyTime": "100000", "labs": [{"charttime": "2150-01-05 01:00:00"}]},
            set(),
        ),
        ({"taken": "2150-01-05 10:00:00", "labs": [{"storetime": "2150-01-05 10:00:00"}]}, set()),
        ({"labs": [{"storetime": "2150-01-05 10:00:00"}]}, {"times-unchecked"}),
    ],
)
def test_values_from_after_the_film_are_found(tmp_path: Path, ehr: dict[str, Any], kinds: set[str]) -> None:
    assert found(tmp_path, told("68 M.", **ehr)) == kinds


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("68 M. I50.9.", "leak-code"),
        ("68 M. Codes I509 of today.", "leak-code"),
        ("68 M. Heart failure, unspecified.", "leak-title"),
        ("68 M. moderate left pleural  effusion with edema.", "leak-report"),
        ("68 M. CheXpert: Edema", "leak-labels"),
        ("68 M. ICD: none", "leak-labels"),
        ("68 M. Discharged to home.", "leak-outcome"),
        ("68 M. Hospital course was long.", "leak-outcome"),
        ("68 M. HR nan.", "blank-as-text"),
        ("68 M. Complaint: <NA>.", "blank-as-text"),
        ("68 M. {complaint}", "placeholder"),
    ],
)
def test_what_a_prompt_must_not_hold(tmp_path: Path, text: str, kind: str) -> None:
    assert found(tmp_path, told(text)) == {kind}


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"target": "Moderate effusion.\nCheXpert: Edema"}, {"label-line"}),
        (
            {"target": "Moderate effusion.\nCheXpert: Edema, Pleural Effusion"},
            set(),
        ),  # under the policy "ones"
        ({"target": "No effusion.\nCheXpert: No Finding"}, {"label-line", "no-finding-claimed"}),
        ({"target": "No effusion."}, {"label-line"}),
        (
            {"target": "Clear lungs.\nCheXpert: none", "labels": complete_labels({"Pneumonia": -1})},
            set(),
        ),
        (
            {
                "target": "Edema seen.\nCheXpert: Edema, No Finding",
                "labels": complete_labels({"Edema": 1, "No Finding": 1}),
            },
            {"no-finding-beside"},
        ),
        ({"target": "Clear.\nCheXpert: Pleural Effusion"}, {"no-text"}),
        ({"target": "As above.\nCheXpert: Pleural Effusion"}, {"refers-elsewhere"}),
        ({"target": "Since ___ new effusion.\nCheXpert: Pleural Effusion"}, {"removed-information"}),
    ],
)
def test_texts_against_labels(tmp_path: Path, changes: dict[str, Any], kinds: set[str]) -> None:
    assert found(tmp_path, replace(A, **changes)) == kinds


def test_codes_against_the_line(tmp_path: Path) -> None:
    assert found(tmp_path, replace(B, icd=("10:I509",))) == {"icd-line"}
    assert found(tmp_path, replace(B, icd=(), target="Moderate effusion.")) == {"no-codes"}


def test_labels_against_the_text_where_there_is_a_labeler(tmp_path: Path) -> None:
    assert found(tmp_path, A, label=lambda text: {"Pleural Effusion": 0}) == {"labels-against-text"}
    assert found(tmp_path, A, label=lambda text: {"Pleural Effusion": 1, "Edema": 1}) == set()


def test_overlap_is_found_however_names_are_spelt(tmp_path: Path) -> None:
    other = replace(
        A, id="x", subject_id="p10000001", study_id="s50000001.0", image=f"mine/{A.image}", split="test"
    )
    other = replace(other, prompt="Another question.")
    assert found(tmp_path, A, other) == {"overlap-patients", "overlap-studies", "overlap-images"}
    third = replace(A, id="y", subject_id="10000002", study_id="50000002", image="b.jpg", split="val")
    assert found(tmp_path, A, third) == set()


def test_duplicates(tmp_path: Path) -> None:
    assert found(tmp_path, A, replace(A, id="again")) == {"duplicate"}


def test_films(tmp_path: Path) -> None:
    write_dataset(tmp_path / "phantom", patients=30, seed=5, size=128, workers=1)
    root = tmp_path / "phantom" / "mimic-cxr-jpg/2.1.0"
    paths = sorted(path.relative_to(root) for path in root.rglob("*.jpg"))
    assert [film_finding(root, str(path)) for path in paths] == [None] * len(paths)
    for path in paths:
        with Image.open(root / path) as film:
            ImageOps.invert(film.convert("L")).save(root / "inverted.png")
        assert film_finding(root, "inverted.png") == "image-inverted"
    Image.new("L", (64, 64), 3).save(root / "black.png")
    Image.new("L", (64, 64), 120).save(root / "even.png")
    assert film_finding(root, "black.png") == film_finding(root, "even.png") == "image-black"
    assert film_finding(root, "none.png") == "image-missing"


def test_what_we_build_passes_and_a_change_is_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_dataset(tmp_path / "phantom", patients=20, seed=5, size=64, workers=1)
    build_curriculum(tmp_path / "phantom", tmp_path / "out")
    root = tmp_path / "phantom" / "mimic-cxr-jpg/2.1.0"
    assert main(["data", "lint", str(tmp_path / "out"), "--image-root", str(root), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["findings"] == []
    assert document["overlap"] == {"patients": 0, "studies": 0, "images": 0}
    assert document["build"]["joins"]["target codes"]["matched"] > 0
    assert set(document) >= {"samples", "stages", "splits", "prevalence", "lengths"}
    path = tmp_path / "out" / "curriculum.jsonl"
    path.write_text(
        path.read_text().replace("Clinical context: ", "Clinical context: Discharged to home. ", 1)
    )
    assert main(["data", "inspect", str(path)]) == 0
    assert "leak-outcome" in (out := capsys.readouterr().out) and "changed" in out
    assert main(["data", "lint", str(path)]) == 1


def test_every_kind_has_a_status() -> None:
    assert {status for status, _ in KINDS.values()} <= {"info", "warn", "fail"}
