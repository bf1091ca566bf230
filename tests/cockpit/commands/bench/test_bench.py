"""The benches: what they record, how they judge, and that they can be run."""

import json
import math
from pathlib import Path

import pytest

from cockpit.commands.bench.cockpit import BARS, Plan, measure
from cockpit.commands.bench.figures import Figure, figures_table, print_figures
from cockpit.commands.bench.long_run import STAGE, TAGS, record_long_run
from engine.runs.store.opening import open_reader

pytestmark = pytest.mark.slow


def test_a_bar_is_met_by_what_is_at_most_that() -> None:
    assert Figure("sent", 0.8, "kB/s", 0.8).met is True
    assert Figure("sent", 0.81, "kB/s", 0.8).met is False
    assert Figure("sent", math.nan, "kB/s", 0.8).met is False
    assert Figure("sent", 12.0, "kB/s").met is None


def test_the_table_says_what_is_met() -> None:
    heading, sent, first = figures_table([Figure("sent", 0.5, "kB/s", 0.8), Figure("first byte", 0.25, "s")])
    assert heading.split() == ["MEASURED", "VALUE", "BAR"]
    assert sent.split() == ["sent", "0.500", "kB/s", "≤", "0.800", "kB/s", "met"]
    assert first.split() == ["first", "byte", "0.250", "s"]


def test_a_bar_that_is_not_met_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_figures("cockpit", [Figure("sent", 0.5, "kB/s", 0.8)], as_json=False) == 0
    capsys.readouterr()
    assert print_figures("cockpit", [Figure("sent", math.nan, "kB/s", 0.8)], as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["bench"] == "cockpit"
    assert told["figures"] == [{"name": "sent", "value": None, "unit": "kB/s", "bar": 0.8, "met": False}]


def test_a_long_run_reads_like_a_recorded_one(tmp_path: Path) -> None:
    paths = record_long_run(tmp_path, "long", 5000, samples=3)
    with open_reader(paths) as reader:
        assert reader.extents("train/loss") == [(STAGE, 0, 5001)]
        assert set(reader.tags()) == set(TAGS)
        exact = [row.value for row in reader.scalars(["train/loss"], STAGE)]
        drawn = reader.series("train/loss", STAGE, columns=50)
        assert min(bucket.low for bucket in drawn) == min(exact)
        assert max(bucket.high for bucket in drawn) == max(exact)
        assert len(list(reader.samples(purpose="evaluation"))) == 3


def test_everything_is_measured_on_the_real_app(tmp_path: Path) -> None:
    plan = Plan(steps=300, many_steps=400, samples=30, settle=0.1, steady=1, idle=0.1, updates=2)
    told: list[str] = []
    figures = measure(tmp_path, plan, lambda what, done, total: told.append(what))
    assert sorted(one.bar for one in figures if one.bar is not None) == sorted(BARS.values())
    assert all(math.isfinite(one.value) and one.value >= 0 for one in figures)
    assert next(one for one in figures if one.name.startswith("resident")).value > 20
    assert "an hour's worth of updates" in told
