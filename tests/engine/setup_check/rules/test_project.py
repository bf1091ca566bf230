"""The project's own findings: configuration, base model, curriculum, images, run folder."""

import json
import os
import struct
from pathlib import Path

import pytest
from PIL import Image

from engine.config import BUNDLED_BASE, RunConfig
from engine.download.model_download import Download, FileProgress, State, take_lock, write_download
from engine.setup_check.finding import Finding
from engine.setup_check.probe.facts import Facts, Import
from engine.setup_check.rules.machine import device_findings, machine_findings
from engine.setup_check.rules.model_files import Damaged, header, weight_bytes
from engine.setup_check.rules.project import model_findings, project_findings, read_config, runs_findings

CONFIG = """
stages: {{stage_a: {{learning_rate: 1.0e-4}}, stage_b: {{learning_rate: 1.0e-4}}}}
data: {{curriculum: curriculum.jsonl, image_root: films{more}}}
"""


def sample(number: int, split: str, subject: str | None = None) -> dict[str, object]:
    return {
        "id": f"s{number}", "subject_id": subject or f"p{number}", "study_id": f"t{number}", "stage": "stage_a",
        "image": f"{number}.png", "prompt": "Describe.", "target": "Clear.\nCheXpert: No Finding",
        "labels": {}, "ehr": None, "icd": [], "split": split,
    }  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    rows = [sample(number, "train" if number < 3 else "val") for number in range(4)]
    (tmp_path / "films").mkdir()
    for number in range(4):
        Image.new("L", (16, 16), number).save(tmp_path / "films" / f"{number}.png")
    write(tmp_path, rows)
    return tmp_path


def write(project: Path, rows: list[dict[str, object]], more: str = "") -> None:
    (project / "curriculum.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (project / "config.yaml").write_text(CONFIG.format(more=more))


def findings(project: Path) -> dict[str, Finding]:
    config, finding = read_config(project / "config.yaml")
    assert config is not None
    return {one.id: one for one in (finding, *project_findings(config, project / "runs"))}


def fails(project: Path) -> set[str]:
    return {one.id for one in findings(project).values() if one.status == "fail"}


def test_a_good_project(project: Path) -> None:
    found = findings(project)
    assert {one.status for one in found.values()} == {"ok"}
    assert found["curriculum"].found == "4 images, 3 training samples, 1 validation samples"


def test_an_invalid_configuration_is_a_finding(project: Path) -> None:
    (project / "config.yaml").write_text("stages: {}\n")
    config, finding = read_config(project / "config.yaml")
    assert config is None and finding.status == "fail" and "config.yaml" in finding.found


def test_counts_are_those_of_the_configuration(project: Path) -> None:
    rows = [sample(number, "train") for number in range(4)]
    write(project, rows, ", expected: {images: 10003, train: 4}")
    found = findings(project)["curriculum"]
    assert found.status == "fail" and "10,003 images" in found.expected


def test_a_patient_in_two_splits(project: Path) -> None:
    write(project, [sample(0, "train", "same"), sample(1, "val", "same")])
    assert fails(project) == {"patients-disjoint"}


def test_an_image_that_does_not_decode(project: Path) -> None:
    (project / "films" / "2.png").write_bytes(b"\x89PNG\r\n")
    found = findings(project)["images"]
    assert found.status == "fail" and "2.png" in found.found


def test_no_curriculum(project: Path) -> None:
    (project / "curriculum.jsonl").unlink()
    assert fails(project) == {"curriculum"}


def test_a_broken_line_of_the_curriculum(project: Path) -> None:
    (project / "curriculum.jsonl").write_text("{not json}\n")
    assert fails(project) == {"curriculum"}


def model(tmp_path: Path, *, index: dict[str, str] | None = None) -> Path:
    place = tmp_path / "model"
    place.mkdir()
    (place / "config.json").write_text("{}")
    (place / "tokenizer.json").write_text("{}")
    tensors = json.dumps({"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}).encode()
    (place / "model.safetensors").write_bytes(struct.pack("<Q", len(tensors)) + tensors + bytes(24))
    if index:
        (place / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    return place


def problem(place: Path) -> str:
    (found,) = model_findings(place)
    return found.found if found.status == "fail" else ""


def test_base_model_whole_and_in_part(tmp_path: Path) -> None:
    place = model(tmp_path)
    assert problem(place) == ""
    assert weight_bytes(place, 2) == 12
    whole = (place / "model.safetensors").read_bytes()
    (place / "model.safetensors").write_bytes(whole[:-5])
    assert "bytes, its header says" in problem(place)
    (place / "model.safetensors").unlink()
    assert "model.safetensors is missing" in problem(place)
    (place / "config.json").unlink()
    (place / "tokenizer.json").unlink()
    assert "config.json is missing; tokenizer.json and tokenizer.model are missing" in problem(place)
    assert "no folder" in problem(tmp_path / "absent")


def test_index_against_shards(tmp_path: Path) -> None:
    assert "two.safetensors is missing" in problem(
        model(tmp_path, index={"w": "model.safetensors", "v": "two.safetensors"})
    )


def test_an_index_that_points_outside(tmp_path: Path) -> None:
    assert "outside" in problem(model(tmp_path, index={"w": "../secret"}))


def test_the_bundled_base_is_whole() -> None:
    assert problem(BUNDLED_BASE) == ""


@pytest.mark.parametrize("content", [b"", b"abc", bytes(8), struct.pack("<Q", 1 << 60) + b"{}"])
def test_no_safetensors(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(content)
    with pytest.raises(Damaged):
        header(file)


def test_runs_are_private_and_writable(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir(mode=0o755)
    runs.chmod(0o755)
    (found,) = runs_findings(runs)
    assert found.status == "warn" and found.fix == (("chmod", "700", str(runs)),)
    runs.chmod(0o700)
    (found,) = runs_findings(runs)
    assert found.status == "ok"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_runs_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    (found,) = runs_findings(tmp_path / "runs")
    tmp_path.chmod(0o700)
    assert found.status == "fail"


def config_for(device: str) -> RunConfig:
    stage = {"learning_rate": 1e-4}
    return RunConfig.model_validate(
        {
            "stages": {"stage_a": stage, "stage_b": stage},
            "data": {"curriculum": "c", "image_root": "i"},
            "model": {"device": device},
        }
    )


@pytest.mark.parametrize(("there", "status"), [(True, "ok"), (False, "fail")])
def test_the_asked_device(there: bool, status: str) -> None:
    facts = Facts(imports={"torch": Import("torch", "torch", "ok", notes={"mps_available": there})})
    (found,) = device_findings(config_for("mps"), facts)
    assert found.status == status
    assert list(device_findings(config_for("cpu"), facts)) == []


def test_memory_and_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {one.id: one for one in machine_findings(config_for("cpu"), tmp_path / "runs")}
    assert found["memory"].status == "ok" and found["memory"].expected.startswith("about")
    assert found["disk"].status == "ok"
    monkeypatch.setattr("engine.setup_check.rules.machine.weight_bytes", lambda *_: 1 << 50)
    monkeypatch.setattr(
        "engine.setup_check.rules.machine.shutil.disk_usage", lambda _: type("Usage", (), {"free": 1 << 20})
    )
    found = {one.id: one for one in machine_findings(config_for("cpu"), tmp_path / "runs")}
    assert {one.status for one in found.values()} == {"fail"}


@pytest.mark.parametrize(
    ("settings", "limit", "statuses"),
    [
        ("System-wide power settings:\n displaysleep 10\n sleep  0 (sleep prevented by a)", "0", {"ok"}),
        (" sleep 1\n lowpowermode 1\n displaysleep 0", "1024", {"warn"}),
    ],
)
def test_what_a_mac_says_of_itself(
    settings: str, limit: str, statuses: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"pmset": settings, "sysctl": limit}
    monkeypatch.setattr("engine.setup_check.rules.machine._said", lambda *command: said.get(command[0]))
    monkeypatch.setattr("engine.setup_check.rules.machine.platform.system", lambda: "Darwin")
    monkeypatch.setattr("engine.setup_check.rules.machine.weight_bytes", lambda *_: 1 << 28)
    found = {one.id: one for one in machine_findings(config_for("mps"), tmp_path / "runs")}
    assert {found[name].status for name in found if name not in ("memory", "disk")} == statuses
    assert "displaysleep" in found["sleep"].found
    assert ("low-power-mode" in found) is (statuses == {"warn"})
    assert ("raises the limit" in found["wired-limit"].why) is (statuses == {"warn"})
    assert {
        one.status for one in machine_findings(config_for("cpu"), tmp_path) if one.id == "wired-limit"
    } == {"ok"}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("interrupted", "model fetch some/model"),
        ("failed", "model fetch some/model"),
        ("fetching", "interrupted"),
    ],
)
def test_a_download_says_how_far_it_is(tmp_path: Path, state: State, words: str) -> None:
    (tmp_path / ".fetch").mkdir()
    files = (FileProgress("model.safetensors", 4 << 30, 1 << 30, "under way"),)
    write_download(Download("some/model", "main", tmp_path, state, "no disk", files=files))
    (found,) = model_findings(tmp_path)
    assert found.status == "fail" and "25 % of 4.29 GB" in found.title
    assert words in found.title + found.found + found.why


def test_a_living_download_is_waited_for(tmp_path: Path) -> None:
    lock = take_lock(tmp_path)
    assert lock is not None
    try:
        write_download(Download("some/model", "main", tmp_path, "fetching", seconds_left=600.0))
        (found,) = model_findings(tmp_path)
    finally:
        os.close(lock)
    assert "is being fetched" in found.title and "10 min left" in found.title
