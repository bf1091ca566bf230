"""What is asked about a film of one's own: the run's own question, and the record in its words."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.config import RunConfig
from engine.errors import UserError
from engine.runs.layout import RunPaths
from engine.stages import STAGE_A, STAGE_B
from engine.training import reporting as report
from engine.training.reporting import question, read_ehr, reports


def test_the_question_is_the_one_the_run_learned(config: RunConfig, tmp_path: Path) -> None:
    asked = question(config.data.curriculum, None)
    assert (asked.stage, asked.prompt, asked.known) == (STAGE_A, "List the labels.", True)
    asked = question(config.data.curriculum, "90 M. Lactate 7 (high).")
    assert (asked.stage, asked.known) == (STAGE_B, True)
    assert asked.prompt == "Clinical context: 90 M. Lactate 7 (high).\nGive the diagnoses."
    ours = question(tmp_path / "gone.jsonl", None)
    assert (ours.prompt, ours.known) == (STAGE_A.prompt, False)


def test_a_record_is_text_or_the_fields_of_a_sample(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("67 F.\n  Complaint: dyspnea.\n")
    assert read_ehr(tmp_path / "a.txt") == "67 F. Complaint: dyspnea."
    fields = {
        "age": 67,
        "sex": "F",
        "complaint": "Dyspnea",
        "labs": {"Lactate": {"value": 4.2, "mark": "high"}},
    }
    (tmp_path / "b.json").write_text(json.dumps(fields))
    assert read_ehr(tmp_path / "b.json") == "67 F. Complaint: dyspnea. Lactate 4.2 (high)."
    (tmp_path / "c.json").write_text(json.dumps({"text": "As it is."}))
    assert read_ehr(tmp_path / "c.json") == "As it is."


@pytest.mark.parametrize(
    "text",
    [
        "[" * 90_000,
        '{"text": "\\ud83d"}',
        "x" * 200_000,
        "",
        "{",
        "[]",
        '{"age": "old", "labs": 3}',
        '{"labs": {"K": {}}}',
        '{"weight": 80}',
        "3",
    ],
)
def test_what_is_no_record_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(UserError, match=r"r\.json"):
        read_ehr(tmp_path / "r.json")


def test_images_are_looked_at_before_the_model_is_loaded(tmp_path: Path) -> None:
    nowhere = RunPaths(tmp_path / "none")
    with pytest.raises(UserError, match=r"absent\.png: no such image"):
        next(reports(nowhere, [tmp_path / "absent.png"], None, None))
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(UserError, match="not an image"):
        next(reports(nowhere, [tmp_path / "text.png"], None, None))
    with pytest.raises(UserError, match="cannot be read as text"):
        next(reports(nowhere, [tmp_path / "text.png"], tmp_path, None))


def test_a_record_too_long_for_the_model_is_refused_with_its_length(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = SimpleNamespace(prompt=lambda text: text.split())
    trained = SimpleNamespace(config=config, base=SimpleNamespace(encoder=encoder))
    monkeypatch.setattr(report, "load_trained", lambda paths, checkpoint: trained)
    (tmp_path / "long.txt").write_text("word " * 1000)
    film = config.data.image_root / "films" / "3.png"
    with pytest.raises(UserError, match=r"long\.txt: makes a prompt of 1,00\d tokens.* up to 512"):
        next(reports(RunPaths(tmp_path), [film], tmp_path / "long.txt", None))
