"""What is settled when a run's configuration is first read by an engine."""

from pathlib import Path

import pytest
import torch
import yaml

from engine.config import RunConfig, freeze, load_config
from engine.runs.layout import RunPaths
from engine.training.loaded import frozen_config


@pytest.fixture
def paths(tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> RunPaths:
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    freeze(config, tmp_path / "config.yaml")
    return RunPaths(tmp_path)


def test_a_run_that_begins_draws_its_steps_at_random(paths: RunPaths) -> None:
    assert frozen_config(paths).data.order == "random"


def test_a_run_begun_before_orders_were_written_down_keeps_its_own(paths: RunPaths) -> None:
    before = yaml.safe_load(paths.config.read_text())
    del before["data"]["order"]
    paths.config.write_text(yaml.safe_dump(before))
    assert frozen_config(paths).data.order == "by_length"
    assert load_config(paths.config).data.order == "by_length"
    assert frozen_config(paths).data.order == "by_length"
