"""Order and learning rate are functions of the seed and the step, and nothing else."""

import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import Order, StageSection
from engine.training.schedule import StageSchedule


def schedule(
    own: int = 37,
    others: int = 20,
    seed: int = 1,
    stage: str = "stage_b",
    multiple: int = 1,
    order: Order = "random",
    **section: float,
) -> StageSchedule:
    lengths = [random.Random(index).randrange(60, 300) for index in range(own + others)]
    settings = {"epochs": 2, "learning_rate": 1e-3, "batch_size": 4, "accumulation": 2, **section}
    return StageSchedule(
        seed=seed,
        stage=stage,
        section=StageSection.model_validate(settings),
        lengths=lengths,
        own=own,
        length_multiple=multiple,
        order=order,
    )


def padding(plan: StageSchedule) -> float:
    """Share of the first epoch's positions that hold nothing."""
    micros = [micro for step in plan.epoch(0) for micro in step]
    padded = sum(max(plan.lengths[index] for index in micro) * len(micro) for micro in micros)
    return 1 - sum(plan.lengths[index] for micro in micros for index in micro) / padded


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


@pytest.mark.parametrize("cut", [{"batch_size": 2, "accumulation": 4}, {"tokens_per_micro_batch": 900}])
def test_the_cut_of_a_step_does_not_decide_what_is_in_it(cut: dict[str, int]) -> None:
    whole = schedule(own=400, batch_size=8, accumulation=1)
    plan = schedule(own=400, **{"batch_size": 8, "accumulation": 1, **cut})
    assert [sorted(index for micro in step for index in micro) for step in plan.epoch(0)] == [
        sorted(index for micro in step for index in micro) for step in whole.epoch(0)
    ]


def test_length_does_not_decide_which_samples_make_a_step() -> None:
    """Steps of a shuffled epoch differ in length as random draws do; sorted beyond steps they differ far more."""
    random_order = schedule(own=800, others=0, batch_size=8, accumulation=1)
    sorted_order = schedule(own=800, others=0, batch_size=8, accumulation=1, order="by_length")

    def spread(plan: StageSchedule) -> float:
        return statistics.stdev(
            statistics.fmean(plan.lengths[index] for micro in step for index in micro)
            for step in plan.epoch(0)
        )

    by_chance = statistics.stdev(random_order.lengths) / math.sqrt(8)
    assert spread(random_order) == pytest.approx(by_chance, rel=0.25)
    assert spread(sorted_order) > 2 * by_chance


def test_a_step_is_sorted_so_that_little_is_padded_and_the_longest_come_first() -> None:
    whole = schedule(own=400, others=0, batch_size=16, accumulation=1)
    cut = schedule(own=400, others=0, batch_size=4, accumulation=4)
    assert padding(cut) < 0.5 * padding(whole)
    for step in cut.epoch(0):
        lengths = [cut.lengths[index] for micro in step for index in micro]
        assert lengths == sorted(lengths, reverse=True)


@given(budget=st.integers(1, 4000), multiple=st.sampled_from([1, 32, 64]))
@settings(max_examples=60, deadline=None)
def test_micro_batches_keep_to_a_budget_of_padded_tokens(budget: int, multiple: int) -> None:
    plan = schedule(own=100, others=0, batch_size=16, tokens_per_micro_batch=budget, multiple=multiple)
    for step in plan.epoch(0):
        for number, micro in enumerate(step):
            padded = -(-max(plan.lengths[index] for index in micro) // multiple) * multiple
            assert len(micro) == 1 or len(micro) * padded <= budget
            if number + 1 < len(step):  # no room was left for the next one
                assert (len(micro) + 1) * padded > budget


def test_a_run_begun_before_goes_on_in_its_own_order() -> None:
    """Taken from a run of that time."""
    plan = schedule(own=13, others=4, batch_size=2, accumulation=2, replay=0.2, order="by_length")
    assert plan.epoch(0) == [((11, 9), (8, 3)), ((5, 6), (4, 13)), ((7, 16), (0, 2)), ((1, 15), (12, 10))]


def test_replay_is_spread_over_the_epoch() -> None:
    plan = schedule(own=400, others=400, replay=0.5, batch_size=4, accumulation=1)
    taken = [index for step in plan.epoch(0) for micro in step for index in micro]
    quarters = [sum(index >= 400 for index in taken[at : at + 150]) for at in range(0, 600, 150)]
    assert max(quarters) - min(quarters) < 40


def test_the_rate_rises_to_its_peak_and_falls_along_a_cosine() -> None:
    plan = schedule(own=800, others=0, epochs=1, warmup=0.1, final=0.1)
    rates = [plan.learning_rate(step) for step in range(1, plan.steps + 1)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == rates[9] == rates[10] == pytest.approx(1e-3)
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert plan.learning_rate(plan.steps + 1) == pytest.approx(1e-4)
    middle = plan.learning_rate(11 + 45)
    assert middle == pytest.approx(1e-3 * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 2))))


@pytest.mark.parametrize("final", [0.0, 0.1])
@pytest.mark.parametrize("warmup", [0.0, 0.03, 0.5, 1.0])
@pytest.mark.parametrize("own", [1, 8, 9, 24, 400])
def test_every_step_is_a_step(own: int, warmup: float, final: float) -> None:
    """The last one, too, and the only one: with a rate of 0 the weights would not follow."""
    plan = schedule(own=own, others=0, epochs=1, warmup=warmup, final=final)
    rates = [plan.learning_rate(step) for step in range(1, plan.steps + 1)]
    assert all(0 < rate <= 1e-3 for rate in rates)
    if plan.steps == 1:
        assert rates == [1e-3]
