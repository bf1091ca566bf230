"""The trial of a run: the longest of everything once, held against the plan, and nothing left where it would stay."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.config import RunConfig, demo_config_path, freeze, load_config
from engine.planning.comparison import dry_run, summary
from engine.planning.plan import make_plan
from engine.training.batches import Encoded
from engine.training.dry_run import STEPS, StageTrial, Trial, longest_micro_batch
from engine.training.schedule import StageSchedule
from engine.training.train import NonFinite


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tried")


@pytest.fixture(scope="module")
def config(home: Path) -> RunConfig:
    """The demo with few small phantoms, which are not there yet."""
    changes = {
        "data.curriculum": str(home / "phantom" / "curriculum.jsonl"),
        "data.image_root": str(home / "phantom" / "films"),
        "data.phantom.patients": 24,
        "data.phantom.size": 64,
        "model.threads": 1,
        "stages.stage_a.batch_size": 2,
        "stages.stage_b.batch_size": 2,
        "stages.stage_b.accumulation": 2,
        "evaluation.batch_size": 2,
        "evaluation.max_new_tokens": 3,
    }
    return load_config(demo_config_path(), [f"{key}={json.dumps(value)}" for key, value in changes.items()])


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A trial is a process of its own: its signals and threads are not the tests'."""
    monkeypatch.setattr("engine.planning.comparison.signal.signal", lambda *_: None)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_trial_measures_what_the_plan_foretells(
    config: RunConfig, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = home / "place"
    place.mkdir()
    freeze(config, place / "config.yaml")
    assert dry_run(place, home / "runs", ("stage_a", "stage_b"), as_json=True) == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert told["measured_bytes"] > 0 and told["planned_bytes"] > 0
    assert sum(told["planned_parts"].values()) == told["planned_bytes"]
    for name in ("stage_a", "stage_b"):
        stage = told["stages"][name]
        assert stage["samples"] == 2 and stage["length"] % config.data.length_multiple == 0
        assert stage["measured_seconds"] > 0 and stage["planned_seconds"] > 0
        assert printed.err.count(f"{name} step ") == STEPS
    assert min(told[one] for one in ("loading_seconds", "generation_seconds", "checkpoint_seconds")) > 0
    assert sorted(one.name for one in home.iterdir()) == ["place"]  # the phantoms were drawn within


def encoded(length: int, supervised: int) -> Encoded:
    labels = (-100,) * (length - supervised) + (1,) * supervised
    return Encoded(None, (1,) * length, labels)  # type: ignore[arg-type]


def test_the_longest_micro_batch_is_tried(config: RunConfig) -> None:
    pool = [encoded(length, 3) for length in (40, 300, 90, 310, 70, 60, 65, 50)]
    pool.append(encoded(310, 9))
    section = config.stages.stage_a
    schedule = StageSchedule(
        seed=0, stage="stage_a", section=section, lengths=[len(one.ids) for one in pool], own=len(pool)
    )
    longest = longest_micro_batch(schedule, pool, 32)
    assert -(-max(len(one.ids) for one in longest) // 32) == 10
    batches = [[pool[index] for index in micro] for step in schedule.epoch(0) for micro in step]
    assert longest in batches


def test_the_hours_are_corrected_by_what_was_measured(config: RunConfig, home: Path) -> None:
    plan = make_plan(config, home / "runs", compare=False, limit=10**12)
    assert plan.micro_batch_seconds
    longest = {work.name: work.longest for work in plan.workload.stages}
    trial = Trial(peak=plan.peak.total)
    for name, shape in longest.items():
        per_step = config.stage(name).accumulation * plan.micro_batch_seconds(shape)
        trial.stages[name] = StageTrial([9.0, 2 * per_step, 3 * per_step], shape.samples, shape.length)
    lines = summary(plan, trial, plan)
    assert sum("+100%" in line for line in lines) == 2  # each stage takes twice its plan
    assert "+0%" in next(line for line in lines if "peak memory" in line)
    assert not any("✖" in line for line in lines)
    tight = summary(replace(plan, limit=plan.peak.total - 1), trial, plan)
    assert "✖" in tight[-1]


def test_a_run_that_would_not_fit_is_told_by_the_exit_code(
    config: RunConfig, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("engine.planning.plan.memory_limit", lambda device: 1)
    place = home / "tight"
    place.mkdir()
    freeze(config, place / "config.yaml")
    assert dry_run(place, home / "runs", ("stage_a",)) == 1
    assert "more than the 0 KiB there are" in capsys.readouterr().out


def test_memory_that_runs_out_is_a_line(
    config: RunConfig, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def greedy(*_: object) -> None:
        raise torch.OutOfMemoryError("MPS backend out of memory (allocated: 380 GB)")

    monkeypatch.setattr("engine.planning.comparison.try_run", greedy)
    place = home / "greedy"
    place.mkdir()
    freeze(config, place / "config.yaml")
    assert dry_run(place, home / "runs", ("stage_a",)) == 1
    assert "would not fit" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_is_a_line(
    config: RunConfig, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def diverges(*_: object) -> None:
        raise NonFinite(2, "step 2 of stage_a: loss nan")

    monkeypatch.setattr("engine.planning.comparison.try_run", diverges)
    place = home / "diverges"
    place.mkdir()
    freeze(config, place / "config.yaml")
    assert dry_run(place, home / "runs", ("stage_a",)) == 1
    assert "would not train: step 2 of stage_a: loss nan" in capsys.readouterr().err
