"""What training.log tells: events as they are stored, a step now and then, and nothing twice."""

import logging

import pytest

from engine.runs.layout import RunPaths
from engine.runs.store.opening import TrainingLog, open_writer
from engine.runs.training_log import STEP_SECONDS


def test_a_run_tells_its_story(paths: RunPaths, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = 100.0
    with open_writer(paths, training_log=TrainingLog(lambda: now)) as writer:
        writer.open_attempt()
        writer.begin_attempt("stage_a", 0, {})
        writer.state("training")
        for step in range(1, 6):
            now += STEP_SECONDS / 2
            writer.progress("stage_a", step, 40, 0.1, 2.5 - step / 10, 12.34, 600.0)
            writer.progress("stage_a", step, 40, note="writing a checkpoint")
        writer.event("validation", "loss 1.200", stage="stage_a", step=5)
        writer.event("alert", "a film\x1b[2J\nis lost", level="warn", stage="stage_a", step=5)
        writer.checkpoint("stage_a-000005", "stage_a", 5, 12, kept=True)
        writer.state("parked", "asked for")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "training"),
        ("INFO", "stage_a step 1/40   raw loss 2.400   12.3 samples/s   10 min left"),
        ("INFO", "stage_a step 3/40   raw loss 2.200   12.3 samples/s   10 min left"),
        ("INFO", "stage_a step 5/40   raw loss 2.000   12.3 samples/s   10 min left"),
        ("INFO", "stage_a step 5: loss 1.200"),
        ("WARNING", "stage_a step 5: a film\ufffd[2J is lost"),
        ("INFO", "stage_a step 5: checkpoint stage_a-000005"),
        ("INFO", "parked: asked for"),
    ]


def test_a_failure_is_left_to_who_has_its_traceback(
    paths: RunPaths, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with open_writer(paths, training_log=TrainingLog()) as writer:
        writer.event("error", "RuntimeError: out", level="error", traceback="...")
        writer.state("failed", "RuntimeError: out")
    assert caplog.records == []


def test_who_launches_an_engine_tells_nothing(paths: RunPaths, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with open_writer(paths) as writer:
        writer.state("preparing")
        writer.progress("stage_a", 1)
    assert caplog.records == []
