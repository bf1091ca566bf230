"""`export` and `report` from the outside: what a run's model is given away as, and what it writes of a film."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from cockpit.cli import main

pytestmark = [pytest.mark.usefixtures("engine_here"), pytest.mark.slow]

#: What a recipient does who has transformers and nothing of this project.
STRANGER = """
import sys
from PIL import Image
from transformers import AutoProcessor, LlavaForConditionalGeneration
model = LlavaForConditionalGeneration.from_pretrained(sys.argv[1])
processor = AutoProcessor.from_pretrained(sys.argv[1])
inputs = processor(images=Image.open(sys.argv[2]), text=sys.argv[3], return_tensors="pt")
written = model.generate(**inputs, max_new_tokens=12, do_sample=False)[0, inputs["input_ids"].shape[1]:]
assert not [name for name in sys.modules if name.split(".")[0] in ("engine", "cockpit", "peft")]
print(processor.decode(written, skip_special_tokens=True))
"""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    picture = Image.effect_mandelbrot((180, 260), (-2, -1.5, 1, 1.5), 40).convert("L")
    picture.save(tmp_path / "film.png")
    return tmp_path / "film.png"


def test_the_merged_model_writes_the_same_report_where_only_transformers_is(
    runs: Path, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "merged"
    assert main(["export", "night", "--runs", str(runs), "--to", str(out), "--merged"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{out}: the merged model and its card, README.md"
    assert said[1].startswith("checked: loaded again it is within ")

    assert main(["report", str(film), "--run", "night", "--runs", str(runs), "--json"]) == 0
    ours = json.loads(capsys.readouterr().out)
    asked = f"[INST] <image>\n{ours['prompt']} [/INST]"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    stranger = subprocess.run(
        [sys.executable, "-P", "-c", STRANGER, str(out), str(film), asked],
        cwd=tmp_path,
        env=environment | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ours["generated"] and stranger.stdout.strip() == ours["generated"].strip()


def test_the_adapter_is_exported_with_what_was_checked(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "adapter"
    command = ["export", "night", "--runs", str(runs), "--to", str(out), "--checkpoint", "stage_b-000009"]
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["merged"] is False and told["error"] <= told["tolerance"] < told["effect"]
    assert {one.name for one in out.iterdir()} == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
    }


def test_what_cannot_be_exported_is_one_line(runs: Path, tmp_path: Path, wrong: Callable[..., str]) -> None:
    (tmp_path / "file").write_text("")
    there = ["--runs", runs]
    assert "no run 'day'" in wrong("export", "day", "--to", tmp_path / "out", *there)
    assert "exists already" in wrong("export", "night", "--to", tmp_path, *there)
    assert "Not a directory" in wrong("export", "night", "--to", tmp_path / "file" / "x", *there)
    named = wrong("export", "night", "--to", tmp_path / "out", "--checkpoint", "stage_a-000001", *there)
    assert "there are: stage_b-000009" in named
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_report_a_film_for_a_person(
    runs: Path, film: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["report", str(film), str(film), "--run", "night", "--runs", str(runs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if str(film) not in line) < 60
    assert sum(line.startswith("labels: ") for line in lines) == 2
    said = " ".join(" ".join(lines).split())
    assert said.count("Research only: not a medical device") == 2
    assert said.count("asked in this project's words") == 2


def test_a_record_asks_for_reasoning_and_codes(
    runs: Path, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record.txt"
    record.write_text("78 years, dyspnoea since Monday\n")
    assert main(["report", str(film), "--run", "night", "--runs", str(runs), "--ehr", str(record)]) == 0
    said = capsys.readouterr().out
    assert "stage_b" in said.splitlines()[0] and "\nICD: " in said


def test_what_cannot_be_reported_on_is_one_line(
    runs: Path, film: Path, tmp_path: Path, wrong: Callable[..., str]
) -> None:
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "cut.png").write_bytes(film.read_bytes()[:400])
    there = ["--run", "night", "--runs", runs]
    assert "no such image" in wrong("report", film, tmp_path / "none.png", *there)
    assert "not an image in a known format" in wrong("report", film, tmp_path / "text.png", *there)
    assert "cut.png" in wrong("report", tmp_path / "cut.png", *there)
    assert "is a directory, not a plain file" in wrong("report", tmp_path, *there)
    assert "cannot be read as text" in wrong("report", film, "--ehr", tmp_path / "none.txt", *there)
    assert "no checkpoint 'best'" in wrong("report", film, "--checkpoint", "best", *there)
    assert "no run 'day'" in wrong("report", film, "--run", "day", "--runs", runs)
    assert "required: --run" in wrong("report", film)
