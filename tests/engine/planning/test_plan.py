"""A plan's figures: from real lengths, in parts that sum, with recipes that say why."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.cadence import Cadence
from engine.config import RunConfig, demo_config_path, load_config
from engine.data.curriculum import Sample, write_curriculum
from engine.data.labels import LABELS
from engine.errors import UserError
from engine.planning.hours import quadratic, stage_time
from engine.planning.plan import Plan, make_plan
from engine.planning.printing import as_json, describe
from engine.planning.recipes import Recipe, best, divisions
from engine.planning.skeleton import read_shapes
from engine.planning.speed import Speed, read_speed
from engine.planning.step import Shape
from engine.planning.trace import Operator
from engine.planning.workload import read_workload
from engine.runs.device_rates import DeviceRates, write_device_rates
from engine.training.device.device import device_of


def sample(number: int, stage: str, split: str) -> Sample:
    return Sample(
        id=f"{number}{stage[-1]}",
        subject_id=f"p{number}",
        study_id=f"s{number}",
        stage=stage,
        image=f"{number}.png",
        prompt="Read the film. " * (1 + number % 5),
        target="Clear lungs. " * (1 + number % 7),
        labels=dict.fromkeys(LABELS, None),
        ehr=None,
        icd=(),
        split=split,
    )


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    home = tmp_path_factory.mktemp("planned")
    both = ("stage_a", "stage_b")
    samples = [sample(n, stage, "train" if n < 40 else "val") for n in range(48) for stage in both]
    write_curriculum(home / "curriculum.jsonl", samples)
    paths = [f"data.curriculum={home / 'curriculum.jsonl'}", f"data.image_root={home}", "data.phantom=null"]
    stages = ["stages.stage_a.epochs=5", "stages.stage_a.accumulation=2", "stages.stage_a.batch_size=8"]
    stages += ["stages.stage_b.epochs=4", "stages.stage_b.replay=0", "stages.stage_b.batch_size=8"]
    return load_config(demo_config_path(), [*paths, *stages])


@pytest.fixture(scope="module")
def plan(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return make_plan(config, tmp_path_factory.mktemp("runs"), limit=10**12)


def test_every_micro_batch_of_the_schedule_is_planned(config: RunConfig) -> None:
    work = read_workload(config, read_shapes(config.base_directory))
    first, second = work.stages
    assert (first.samples, second.samples) == (40 * 5, 40 * 4)
    assert first.steps == 5 * 3  # 5 micro-batches of 8, two a step
    assert sum(count * shape.samples for shape, count in first.micro_batches.items()) == first.samples
    assert all(shape.length % config.data.length_multiple == 0 for shape in first.micro_batches)
    assert not work.note


def test_lengths_are_assumed_and_said_to_be_where_there_is_no_curriculum(
    config: RunConfig, tmp_path: Path
) -> None:
    data = config.data.model_copy(update={"curriculum": tmp_path / "none.jsonl"})
    work = read_workload(config.model_copy(update={"data": data}), read_shapes(config.base_directory))
    assert "no curriculum" in work.note
    assert work.longest.length <= data.max_length


def test_a_sample_that_would_be_refused_is_refused_by_the_plan(config: RunConfig) -> None:
    short = config.model_copy(update={"data": config.data.model_copy(update={"max_length": 64})})
    with pytest.raises(UserError, match=r"tokens, data\.max_length is 64"):
        read_workload(short, read_shapes(config.base_directory))


def test_parts_sum_to_the_peak_and_every_phase_is_told(plan: Plan) -> None:
    told = as_json(plan)
    assert sum(told["memory"]["parts"].values()) == told["memory"]["peak_bytes"]
    assert set(told["memory"]["phases"]) == {"training", "validation", "generation", "loading"}
    assert told["memory"]["peak_bytes"] == max(told["memory"]["phases"].values())
    assert told["memory"]["fits"] is True
    json.dumps(told)


def test_times_are_told_by_stage(plan: Plan) -> None:
    stages = as_json(plan)["stages"]
    assert stages["stage_a"]["steps"] == 15
    for told in stages.values():
        parts = ("training_seconds", "validation_seconds", "generation_seconds")
        assert told["seconds"] == pytest.approx(sum(told[part] for part in parts))
        assert told["flops_per_sample"] > 1e9


def test_one_recipe_is_the_configurations_own_and_all_take_the_same_samples(plan: Plan) -> None:
    own = [one for one in plan.recipes if one.chosen]
    assert len(own) == 1
    assert own[0].peak_bytes == next(one.total for one in plan.phases if one.phase == "training")
    assert {one.micro_batch * one.accumulation for one in plan.recipes} == {8}


def test_a_recipe_that_does_not_fit_says_what_it_lacks(plan: Plan, config: RunConfig, tmp_path: Path) -> None:
    tight = make_plan(config, tmp_path, limit=plan.peak.total - 1)
    assert tight.fits is False
    refused = next(one for one in tight.recipes if one.chosen)
    assert "too much" in refused.why
    wins = best(tight.recipes)
    assert wins and wins.fits
    assert f"--set {wins.settings[0]}" in describe(tight, Path("runs"))
    none = replace(tight, recipes=tuple(replace(one, limit=1) for one in tight.recipes))
    assert best(none.recipes) is None and "none fits" in describe(none, Path("runs"))


def test_the_report_fits_a_terminal(plan: Plan) -> None:
    assert max(map(len, describe(plan, Path("runs")).splitlines())) <= 80


def test_settings_of_a_recipe_are_what_a_run_accepts(plan: Plan) -> None:
    for one in plan.recipes:
        changed = load_config(demo_config_path(), one.settings)
        assert changed.stages.stage_b.batch_size == one.micro_batch
        assert changed.model.activation_checkpointing == one.activation_checkpointing


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_precision_and_a_large_micro_batch_are_kept(precision: str) -> None:
    other = "bfloat16" if precision == "float32" else "float32"

    def recipe(micro: int, precision: str, again: bool, peak: int) -> Recipe:
        return Recipe(
            micro_batch=micro,
            accumulation=8 // micro,
            tokens=None,
            budgeted=False,
            precision=precision,
            activation_checkpointing=again,
            peak_bytes=peak,
            limit=100,
            seconds_per_sample=None,
            chosen=peak > 100,
        )

    fits = [recipe(1, precision, True, 90), recipe(8, other, False, 50), recipe(2, precision, True, 95)]
    assert best([*fits, recipe(8, precision, False, 101)]) == fits[2]


@given(st.integers(1, 12), st.integers(1, 12))
def test_divisions_keep_the_samples_of_a_step(batch: int, accumulation: int) -> None:
    found = list(divisions(batch * accumulation))
    assert all(micro * times == batch * accumulation for micro, times in found)
    assert len({micro for micro, _ in found}) == len(found) and (batch, accumulation) in found


@given(st.tuples(*[st.floats(0, 10)] * 3), st.integers(64, 2048))
def test_three_lengths_determine_every_length(factors: tuple[float, float, float], length: int) -> None:
    def true(at: int) -> float:
        return factors[0] + factors[1] * at / 1e3 + factors[2] * (at / 1e3) ** 2

    seconds = quadratic({at: true(at) for at in (64, 700, 2048)}, samples=4)
    assert seconds(Shape(4, length, 1)) == pytest.approx(true(length), abs=1e-6)
    assert seconds(Shape(2, length, 1)) == pytest.approx(true(length) / 2, abs=1e-6)


def test_a_stage_is_timed_with_all_that_falls_due(config: RunConfig) -> None:
    work = read_workload(config, read_shapes(config.base_directory)).stages[0]
    work = replace(work, validations=Cadence(steps=5), samplings=Cadence())
    time = stage_time(work, lambda _: 2.0, lambda _: 3.0, lambda _: 7.0, lambda _: 1.0)
    assert time.training == 2.0 * sum(work.micro_batches.values())
    assert time.validation == (15 // 5 + 1) * 3.0 * sum(work.validation.values())
    assert time.generation == 7.0 * (sum(work.cases.values()) + sum(work.prompts.values()))


def test_an_operator_takes_its_arithmetic_its_traffic_or_its_dispatch() -> None:
    speed = Speed("cuda", {"fp32": 1e12, "bf16": 1e13}, 1e11, "a test")
    operators = {
        Operator(torch.float32, 1e12, 8): 1,
        Operator(torch.bfloat16, 1e13, 8): 2,
        Operator(torch.float32, 0, 10**11): 1,
        Operator(torch.float32, 0, 8): 1,
    }
    assert speed.seconds(operators) == pytest.approx(4.0, abs=1e-4)


def write_rates(runs: Path, device: str, chip: str, **rates: float | None) -> None:
    write_device_rates(runs, DeviceRates(device, chip, "2026-01-01T00:00:00+00:00", dict(rates)))


def test_measured_rates_go_before_the_table(tmp_path: Path) -> None:
    assert read_speed("cuda", False, tmp_path) is None
    write_rates(tmp_path, "cuda", "NVIDIA H100 80GB HBM3", bf16=7e14, fp16=None)
    found = read_speed("cuda", False, tmp_path)
    assert found and found.flops == {"bf16": 7e14} and "check --device" in found.source
    write_rates(tmp_path, "cuda", "NVIDIA H100 80GB HBM3", bf16=None)
    table = read_speed("cuda", False, tmp_path)
    assert table and table.flops["bf16"] < 989e12 and "peak" in table.source


def test_rates_of_another_chip_are_not_this_machines(tmp_path: Path) -> None:
    own = device_of(torch.device("cpu")).chip()
    write_rates(tmp_path, "cpu", own, fp32=7e9)
    assert read_speed("cpu", True, tmp_path).flops == {"fp32": 7e9}  # type: ignore[union-attr]
    write_rates(tmp_path, "cpu", f"not a {own}", fp32=7e9)
    other = read_speed("cpu", True, tmp_path)
    assert other and "this CPU" in other.source


def test_a_mac_elsewhere_is_the_one_the_project_is_for(tmp_path: Path) -> None:
    found = read_speed("mps", False, tmp_path)
    assert found and "M3 Ultra" in found.source and found.flops["fp32"] == pytest.approx(20.7e12, rel=0.01)


@pytest.mark.parametrize("text", ["", "[]", '{"device": "cuda", "matmul_flops": 3}'])
def test_a_damaged_record_of_rates_is_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / ".device.json").write_text(text, encoding="utf-8")
    found = read_speed("cpu", True, tmp_path)
    assert found and "this CPU" in found.source


def test_a_model_nobody_knows_is_refused_with_the_way_out(config: RunConfig, tmp_path: Path) -> None:
    model = config.model.model_copy(update={"base": str(tmp_path / "other-7b")})
    with pytest.raises(UserError, match="fetch the model"):
        make_plan(config.model_copy(update={"model": model}), tmp_path)


@pytest.fixture(autouse=True)
def few_threads() -> Iterator[None]:
    """The CPU's rate is measured for a moment: not on all of a busy machine's cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
