"""`status`, `scalars`, `samples` against a run that was written by hand."""

import csv
import io
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cockpit.cli import main
from cockpit.screens.runs.source import RunsSource
from engine.runs.layout import RunPaths, create_run
from engine.runs.lock import EngineLock
from engine.runs.store.opening import RunWriter, open_writer
from engine.runs.store.rows import SAMPLE_KEYS, GeneratedSample

STATUS_KEYS = [
    "run", "state", "stalled", "stage", "step", "steps", "epoch", "loss", "eta_seconds", "samples_per_second",
    "memory_bytes", "checkpoint", "pid", "error",
    "eta_low_seconds", "eta_high_seconds", "done_at", "slower_than_planned",
]  # fmt: skip


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CXR_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def paths(runs: Path) -> RunPaths:
    return create_run(runs, "night")


@pytest.fixture
def writer(paths: RunPaths) -> Iterator[RunWriter]:
    with open_writer(paths) as opened:
        yield opened


@pytest.fixture
def training(paths: RunPaths, writer: RunWriter) -> Iterator[EngineLock]:
    """The run as a living engine shows it."""
    with EngineLock.take(paths) as lock:
        writer.open_attempt()
        lock.record(os.getpid(), "run", 1)
        writer.begin_attempt("stage_a", 0, {})
        writer.plan([{"stage": "stage_a", "steps": 40}, {"stage": "stage_b", "steps": 60}])
        writer.state("training")
        for step in (1, 2):
            writer.scalars("stage_a", step, {"train/loss": 2.5 / step, "train/grad_norm": math.nan})
        writer.progress("stage_a", 2, 40, 0.05, 1.25, 2.0, 120.0, 4.0, 3 << 30, "", 100.0, 200.0)
        writer.checkpoint("stage_a-000002", "stage_a", 2, 10, kept=False)
        yield lock


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Without the right to look into what is closed, which root has."""
    if os.getuid():
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_a_run_that_may_not_be_looked_into_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        runs = Path(place)
        closed = create_run(runs, "closed")
        create_run(runs, "open").config.touch()
        (runs / "notes").mkdir(mode=0o755)  # no run, and nobody forbids to see that
        for path in (runs, *runs.rglob("*")):
            path.chmod(0o755)
        closed.root.chmod(0)
        main(["status", "--runs", place])  # what is imported on use may lie where only its owner can read
        capsys.readouterr()
        with as_somebody_else():
            codes = [main(["status", *more, "--runs", place]) for more in ([], ["--json"], ["closed"])]
            rows = RunsSource(runs, closed).read().rows
        closed.root.chmod(0o700)
    said = capsys.readouterr()
    assert said.out, said.err
    listed, as_json = said.out.splitlines()[:-1], json.loads(said.out.splitlines()[-1])
    assert codes == [0, 0, 2]
    assert any(line.startswith("closed: ") and "Permission denied" in line for line in listed)
    assert {one["run"]: "Permission denied" in (one["error"] or "") for one in as_json} == {
        "closed": True, "open": False,
    }  # fmt: skip
    assert "Permission denied" in said.err and said.err.count("\n") == 1
    assert {row.name: "Permission denied" in row.trouble for row in rows} == {"closed": True, "open": False}


def sample(**changes: Any) -> GeneratedSample:
    row: dict[str, Any] = dict.fromkeys(SAMPLE_KEYS[:-1], None)
    row |= {"stage": "stage_a", "step": 2, "purpose": "case", "case": "s1", "image": "a.jpg", "prompt": "?"}
    row |= {"generated": "Clear lungs.", "reference": "Small effusion."} | changes
    return GeneratedSample(**row)


def read(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_status_json(training: EngineLock, capsys: pytest.CaptureFixture[str]) -> None:
    status = json.loads(read(capsys, "status", "night", "--json"))
    assert list(status) == STATUS_KEYS
    assert status.pop("done_at") > 120.0
    assert status == {
        "run": "night", "state": "training", "stalled": False, "stage": "stage_a", "step": 2, "steps": 40,
        "epoch": 0.05, "loss": 1.25, "eta_seconds": 120.0, "samples_per_second": 2.0,
        "memory_bytes": 3 << 30, "checkpoint": "stage_a-000002", "pid": os.getpid(), "error": None,
        "eta_low_seconds": 100.0, "eta_high_seconds": 200.0, "slower_than_planned": None,
    }  # fmt: skip


def test_status_in_words(training: EngineLock, capsys: pytest.CaptureFixture[str]) -> None:
    shown = read(capsys, "status", "night")
    for words in ("● training", "stage A  step 2/40", "loss 1.250", "left 2-3 min, ~", "stage_a-000002"):
        assert words in shown


def test_status_of_a_dead_engine(training: EngineLock, capsys: pytest.CaptureFixture[str]) -> None:
    training.close()
    status = json.loads(read(capsys, "status", "night", "--json"))
    assert (status["state"], status["pid"], status["eta_seconds"]) == ("crashed", None, None)
    assert "ended without notice" in status["error"]


def test_status_list(training: EngineLock, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create_run(runs, "broken").db.write_bytes(b"nonsense" * 1000)
    listed = {entry["run"]: entry for entry in json.loads(read(capsys, "status", "--json"))}
    assert all(list(entry) == STATUS_KEYS for entry in listed.values())
    assert listed["night"]["state"] == "training"
    assert listed["broken"]["state"] is None and "damaged" in listed["broken"]["error"]
    shown = read(capsys, "status")
    assert "night  ● training" in shown and "damaged" in shown


def test_status_without_runs(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(read(capsys, "status", "--json")) == []
    assert "cxr-cockpit demo" in read(capsys, "status")


def test_status_of_a_damaged_run_is_one_line(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create_run(runs, "broken").db.write_bytes(b"nonsense" * 1000)
    assert main(["status", "broken"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_watch_ends_with_the_engine(
    training: EngineLock,
    writer: RunWriter,
    form: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cockpit.commands.status.WATCH_SECONDS", 0.01)

    def end() -> None:
        writer.state("parked")
        training.close()

    threading.Timer(0.2, end).start()
    lines = read(capsys, "status", "night", "--watch", *form).splitlines()
    assert "training" in lines[0] and "parked" in lines[-1]
    assert 2 <= len(lines) <= 4


def test_scalars_csv(training: EngineLock, capsys: pytest.CaptureFixture[str]) -> None:
    shown = read(capsys, "scalars", "night")
    assert shown.splitlines()[0] == "stage,step,tag,value,wall_time,attempt"
    rows = list(csv.DictReader(io.StringIO(shown)))
    assert [(row["step"], row["tag"], row["value"]) for row in rows] == [
        ("1", "train/grad_norm", "nan"), ("1", "train/loss", "2.5"),
        ("2", "train/grad_norm", "nan"), ("2", "train/loss", "1.25"),
    ]  # fmt: skip
    assert {row["attempt"] for row in rows} == {"1"}
    assert all(repr(float(row["wall_time"])) == row["wall_time"] for row in rows)


def test_scalars_jsonl_and_tags(training: EngineLock, capsys: pytest.CaptureFixture[str]) -> None:
    shown = read(capsys, "scalars", "night", "--tag", "train/grad_norm", "--format", "jsonl")
    rows = [json.loads(line) for line in shown.splitlines()]
    assert [list(row) for row in rows] == [["stage", "step", "tag", "value", "wall_time", "attempt"]] * 2
    assert {row["value"] for row in rows} == {None}
    assert read(capsys, "scalars", "night", "--tag", "val/loss").count("\n") == 1


def test_floats_are_exact(writer: RunWriter, capsys: pytest.CaptureFixture[str]) -> None:
    writer.scalars("stage_a", 1, {"a": 0.1 + 0.2, "b": math.inf, "c": 1e-300})
    values = [line.split(",")[3] for line in read(capsys, "scalars", "night").splitlines()[1:]]
    assert values == ["0.30000000000000004", "inf", "1e-300"]
    rows = [json.loads(line) for line in read(capsys, "scalars", "night", "--format", "jsonl").splitlines()]
    assert [row["value"] for row in rows] == [0.1 + 0.2, None, 1e-300]


def test_misspelt_tag(training: EngineLock, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scalars", "night", "--tag", "train/los"]) == 2
    assert "did you mean train/loss?" in capsys.readouterr().err


def test_all_attempts(training: EngineLock, writer: RunWriter, capsys: pytest.CaptureFixture[str]) -> None:
    writer.begin_attempt("stage_a", 1, {})
    writer.scalars("stage_a", 2, {"train/loss": 9.0})
    tag = ("--tag", "train/loss")
    counted = read(capsys, "scalars", "night", *tag).splitlines()[1:]
    assert [line.split(",")[3] for line in counted] == ["2.5", "9.0"]
    every = read(capsys, "scalars", "night", *tag, "--all-attempts").splitlines()[1:]
    assert [line.split(",")[3] for line in every] == ["2.5", "1.25", "9.0"]


def test_run_without_database_has_no_rows(paths: RunPaths, capsys: pytest.CaptureFixture[str]) -> None:
    paths.config.touch()
    assert read(capsys, "scalars", "night") == "stage,step,tag,value,wall_time,attempt\n"
    assert read(capsys, "samples", "night") == ""


def test_samples_jsonl(writer: RunWriter, capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "half \ud83d, NUL \0, \x1b[2J"
    writer.sample(sample(generated=nasty, scores={"bleu4": math.nan}))
    writer.sample(sample(step=4, purpose="evaluation"))
    lines = read(capsys, "samples", "night").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [tuple(row) for row in rows] == [SAMPLE_KEYS] * 2
    assert rows[0]["generated"] == nasty and rows[0]["scores"] == {"bleu4": None}
    assert all(line.isascii() and "\x1b" not in line for line in lines)
    assert len(read(capsys, "samples", "night", "--step", "4").splitlines()) == 1
    assert len(read(capsys, "samples", "night", "--purpose", "case").splitlines()) == 1
    assert read(capsys, "samples", "night", "--stage", "stage_b") == ""


def test_samples_text_is_never_obeyed(writer: RunWriter, capsys: pytest.CaptureFixture[str]) -> None:
    writer.sample(sample(generated="Clear.\x1b[2J\x9b1m\rgone\n[red]Label: none", case="a\nb"))
    shown = read(capsys, "samples", "night", "--format", "text")
    assert not any(ord(one) < 32 and one != "\n" for one in shown) and "\x9b" not in shown
    assert "[red]Label: none" in shown and "Small effusion." in shown


def test_closed_pipe_is_quiet(writer: RunWriter, runs: Path) -> None:
    for step in range(4000):
        writer.scalars("stage_a", step, {"train/loss": 1.0})
    command = [sys.executable, "-m", "cockpit.cli", "scalars", "night", "--runs", str(runs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
