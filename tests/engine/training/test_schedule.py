"""Order and learning rate are functions of the seed and the step, and nothing else."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import StageSection
from engine.training.schedule import StageSchedule


def schedule(
    own: int = 37, others: int = 20, seed: int = 1, stage: str = "stage_b", **section: float
) -> StageSchedule:
    lengths = [random.Random(index).randrange(60, 300) for index in range(own + others)]
    settings = {"epochs": 2, "learning_rate": 1e-3, "batch_size": 4, "accumulation": 2, **section}
    return StageSchedule(
        seed=seed, stage=stage, section=StageSection.model_validate(settings), lengths=lengths, own=own
    )


@given(
    own=st.integers(1, 90), batch=st.integers(1, 9), accumulation=st.integers(1, 4), replay=st.floats(0, 1)
)
@settings(max_examples=60, deadline=None)
def test_an_epoch_takes_every_own_sample_once_and_its_share_of_replay(
    own: int, batch: int, accumulation: int, replay: float
) -> None:
    plan = schedule(own, 30, batch_size=batch, accumulation=accumulation, replay=replay)
    for epoch in (0, 1):
        steps = plan.epoch(epoch)
        taken = [index for step in steps for micro_batch in step for index in micro_batch]
        assert len(steps) == plan.steps_per_epoch
        assert sorted(index for index in taken if index < own) == list(range(own))
        replayed = [index for index in taken if index >= own]
        assert len(replayed) == len(set(replayed)) == min(30, round(own * replay))
        assert all(0 < len(micro_batch) <= batch for step in steps for micro_batch in step)


def test_the_same_seed_gives_the_same_order_and_another_does_not() -> None:
    assert schedule().epoch(1) == schedule().epoch(1)
    assert schedule().epoch(1) != schedule().epoch(0)
    assert schedule().epoch(1) != schedule(seed=2).epoch(1)
    assert schedule().epoch(1) != schedule(stage="stage_a").epoch(1)


def test_a_step_is_found_without_walking_there() -> None:
    plan = schedule(epochs=3)
    every = [step for epoch in range(3) for step in plan.epoch(epoch)]
    assert [plan.step(number) for number in range(1, plan.steps + 1)] == every


def test_micro_batches_hold_samples_of_like_length() -> None:
    plan = schedule(own=400, others=0, batch_size=8)
    padded = sum(max(plan.lengths[i] for i in micro) * len(micro) for step in plan.epoch(0) for micro in step)
    assert 1 - sum(plan.lengths) / padded < 0.08


def test_replay_is_spread_over_the_epoch() -> None:
    plan = schedule(own=400, others=400, replay=0.5, batch_size=4, accumulation=1)
    taken = [index for step in plan.epoch(0) for micro in step for index in micro]
    quarters = [sum(index >= 400 for index in taken[at : at + 150]) for at in range(0, 600, 150)]
    assert max(quarters) - min(quarters) < 40


def test_the_rate_rises_to_its_peak_and_falls_along_a_cosine() -> None:
    plan = schedule(own=800, others=0, epochs=1, warmup=0.1, final=0.1)
    rates = [plan.learning_rate(step) for step in range(1, plan.steps + 1)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == rates[9] == pytest.approx(1e-3)
    assert rates[-1] == pytest.approx(1e-4)
    middle = plan.learning_rate(10 + 45)
    assert middle == pytest.approx(1e-3 * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 2))))
    assert all(rate > 0 for rate in rates)
