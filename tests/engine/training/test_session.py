"""Real engines in processes of their own: trained through, killed, held, parked, stopped, and what is left of it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.config import RunConfig
from engine.errors import UserError
from engine.runs.exactness import differences, evidence
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock
from engine.runs.process import launch
from engine.runs.status import Status
from engine.runs.store.opening import RunWriter, open_reader, status_of

from .living import PATIENCE, ask, live, prepare, wait_for

pytestmark = pytest.mark.slow


def ended(status: Status) -> bool:
    return not status.live and status.state not in ("preparing", "starting")


def assert_same(paths: RunPaths, unbroken: RunPaths) -> None:
    assert differences(evidence(paths), evidence(unbroken)) == []


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, config: RunConfig) -> RunPaths:
    """A run that nothing happened to."""
    paths = prepare(tmp_path_factory.mktemp("runs") / "unbroken", config)
    launch(paths)
    assert wait_for(paths, ended).state == "finished", paths.log.read_text()
    return paths


def test_a_run_records_its_whole_story(unbroken: RunPaths) -> None:
    status = status_of(unbroken)
    assert (status.stage, status.step, status.steps, status.checkpoint) == ("stage_b", 3, 3, "stage_b-000003")
    with open_reader(unbroken) as reader:
        losses = [(row.stage, row.step) for row in reader.scalars(["train/loss"])]
        assert losses == [("stage_a", step) for step in (1, 2, 3, 4)] + [
            ("stage_b", step) for step in (1, 2, 3)
        ]
        assert [(row.stage, row.step) for row in reader.scalars(["val/loss"])] == [
            ("stage_a", 2),
            ("stage_a", 4),
            ("stage_b", 2),
            ("stage_b", 3),
        ]
        tags = set(reader.tags())
        assert {"val/bleu4", "val/chexpert_micro_f1", "val/icd_micro_f1", "memory/process"} <= tags
        purposes = {(row.stage, row.step, row.purpose) for row in reader.samples()}
        assert ("stage_a", 3, "case") in purposes
        assert {("stage_a", 4, "evaluation"), ("stage_b", 3, "evaluation")} <= purposes
        assert [stage["stage"] for stage in reader.stages_plan()] == ["stage_a", "stage_b"]
        for stage in reader.stages_plan():
            assert stage["planned_bytes"] > 1e8 and stage["planned_samples_per_second"] > 0
        messages = " ".join(event.message for event in reader.events())
        assert "no target cut" in messages
        assert "tensors have moved" in messages
    kept = sorted(path.name for path in unbroken.checkpoints.iterdir())
    assert {"stage_a-000004", "stage_b-000003"} <= set(kept)


def test_killed_at_any_instant_it_ends_the_same_to_the_bit(
    unbroken: RunPaths, tmp_path: Path, config: RunConfig
) -> None:
    """The first death falls into a step, the second into whatever is under way a moment later, one at the boundary.

    After the last one the machine restarts: another process bears the dead engine's pid, and the same command as ever
    carries on.
    """
    paths = prepare(tmp_path / "killed", config)
    deaths: list[Callable[[Status], bool]] = [
        lambda status: status.stage == "stage_a" and (status.step or 0) >= 1,
        lambda status: status.stage == "stage_a" and (status.step or 0) >= 3 and status.state == "evaluating",
        lambda status: status.stage == "stage_b",
    ]
    for due in deaths:
        launch(paths)
        status = wait_for(paths, lambda now, due=due: (due(now) and now.pid is not None) or ended(now))
        if status.pid is not None:
            os.kill(status.pid, signal.SIGKILL)
            assert wait_for(paths, ended).state == "crashed"
    holder = json.loads(paths.lock.read_text())
    paths.lock.write_text(json.dumps(holder | {"pid": os.getpid()}).ljust(len(paths.lock.read_text())))
    resume = [sys.executable, "-P", "-m", "cockpit.cli", "resume", str(paths.root), "--headless"]
    resumed = subprocess.run(resume, capture_output=True, text=True, timeout=PATIENCE)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert_same(paths, unbroken)
    again = subprocess.run(resume, capture_output=True, text=True, timeout=PATIENCE)
    assert (again.returncode, "is finished" in again.stdout) == (0, True)


def test_hold_continue_save_sample_park_and_resume(
    unbroken: RunPaths, tmp_path: Path, config: RunConfig
) -> None:
    paths = prepare(tmp_path / "steered", config)
    launch(paths)
    wait_for(paths, lambda status: status.state == "training")
    assert ask(paths, "hold") == ("done", "holding; the model stays in memory")
    held = status_of(paths)
    assert held.state == "holding"
    assert ask(paths, "hold")[1] == "holding already"
    assert ask(paths, "save")[0] == "done"
    assert ask(paths, "sample")[0] == "done"
    assert status_of(paths).step == held.step
    assert ask(paths, "continue") == ("done", "going on")
    outcome = ask(paths, "park")
    assert outcome[0] == "done"
    assert wait_for(paths, ended).state == "parked"
    launch(paths)
    assert wait_for(paths, ended).state == "finished", paths.log.read_text()
    ours, theirs = evidence(paths), evidence(unbroken)
    assert (ours.files, ours.scalars, ours.doubled) == (theirs.files, theirs.scalars, ())


def test_stop_ends_the_stage_and_the_next_one_goes_on_from_it(tmp_path: Path, config: RunConfig) -> None:
    paths = prepare(tmp_path / "stopped", config)
    launch(paths)
    wait_for(paths, lambda status: (status.step or 0) >= 1)
    assert ask(paths, "stop")[0] == "done"
    stopped = wait_for(paths, ended)
    assert stopped.state == "stopped"
    assert stopped.stage == "stage_a"
    launch(paths)
    assert wait_for(paths, ended).state == "finished", paths.log.read_text()
    with open_reader(paths) as reader:
        steps = [row.step for row in reader.scalars(["train/loss"], "stage_a")]
        assert steps == list(range(1, (stopped.step or 0) + 1))
        assert [row.step for row in reader.scalars(["train/loss"], "stage_b")] == [1, 2, 3]


def test_signals_stop_continue_and_park_an_engine_that_no_second_one_can_join(
    unbroken: RunPaths, tmp_path: Path, config: RunConfig
) -> None:
    """A hang-up does nothing: a terminal that goes away is none of the engine's business."""
    paths = prepare(tmp_path / "signalled", config)
    pid = launch(paths)
    wait_for(paths, lambda status: (status.step or 0) >= 1)
    os.kill(pid, signal.SIGSTOP)
    second = subprocess.run(
        [sys.executable, "-P", "-m", "engine", "run", str(paths.root)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (second.returncode, "already in use" in second.stderr) == (2, True)
    assert status_of(paths).live, "a stopped process still holds the run"
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGCONT):
        os.kill(pid, number)
    status = wait_for(paths, ended)
    assert (status.state, "SIGINT" in status.message) == ("parked", True)
    pid = launch(paths)
    wait_for(paths, lambda status: status.stage == "stage_b" and status.state == "training")
    os.kill(pid, signal.SIGTERM)
    assert "SIGTERM" in wait_for(paths, ended).message
    launch(paths)
    assert wait_for(paths, ended).state == "finished", paths.log.read_text()
    assert_same(paths, unbroken)


@pytest.mark.parametrize("harm", ["missing", "unreadable"])
def test_a_film_that_cannot_be_read_is_one_clear_line_before_the_first_step(
    harm: str, tmp_path: Path, config: RunConfig
) -> None:
    root = tmp_path / "films"
    (root / "films").mkdir(parents=True)
    for film in (config.data.image_root / "films").iterdir():
        (root / "films" / film.name).write_bytes(film.read_bytes())
    victim = root / "films" / "3.png"
    victim.unlink() if harm == "missing" else victim.write_bytes(victim.read_bytes()[:200])
    data = config.data.model_copy(update={"image_root": root})
    paths = prepare(tmp_path / "run", config.model_copy(update={"data": data}))
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "engine", "run", str(paths.root)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ran.returncode == 2
    status = status_of(paths)
    assert status.state == "failed"
    assert "3.png" in (status.error or "")
    assert "Traceback" not in ran.stderr


def test_evaluation_agrees_with_its_own_samples(unbroken: RunPaths) -> None:
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "engine", "evaluate", str(unbroken.root), "--json"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    assert result["checkpoint"] == "stage_b-000003"
    assert set(result["baselines"]) == {"constant", "shuffled", "blank_image", "blank_ehr", "base_model"}
    assert all(set(stages) == {"stage_a", "stage_b"} for stages in result["baselines"].values())
    assert result["baselines"]["constant"]["stage_a"]["loss"] is None
    assert result["baselines"]["constant"]["stage_a"]["distinct_outputs"] == 1
    with open_reader(unbroken) as reader:
        rows = [row for row in reader.samples("stage_b") if row.purpose == "baseline:blank_ehr"]
        assert len(rows) == result["baselines"]["blank_ehr"]["stage_b"]["n"] == 4
        assert all("not available" in row.prompt for row in rows)
        assert status_of(unbroken).state == "finished"


def test_a_second_engine_is_refused(unbroken: RunPaths) -> None:
    with EngineLock.take(unbroken), pytest.raises(UserError, match="already in use"):
        launch(unbroken)


def test_how_far_an_evaluation_is_is_told_and_the_place_is_kept(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first step as in its midst: a note never takes the place of where the run is."""
    told: list[tuple[str | None, str]] = []
    progress = RunWriter.progress

    def listened(
        writer: RunWriter, stage: str | None, step: int | None, *more: object, **named: object
    ) -> None:
        told.append((stage, str(named.get("note") or (more[-1] if len(more) == 8 else ""))))
        progress(writer, stage, step, *more, **named)

    monkeypatch.setattr(RunWriter, "progress", listened)
    monkeypatch.setattr("engine.training.progress.TELL_SECONDS", 0.0)
    paths = prepare(tmp_path / "run", config)
    assert live(paths) == 0
    notes = {note for _, note in told if note}
    assert {"sampling 0 of 2", "validating 0 of 4", "scoring 0 of 4"} <= notes, notes
    assert all(stage for stage, _ in told)
    assert told[-1][1] == ""  # nothing stays behind of what is done
