"""Micro-batches made ahead of need: in order, and as if each had been made after the one before it."""

import pytest
import torch

from engine.config import RunConfig
from engine.data.curriculum import read_curriculum
from engine.training.batches import Collator, encode_all
from engine.training.loaded import load
from engine.training.loader import StageLoader, _MicroBatch, prefetched
from engine.training.quarantine import LostFilm, Quarantine
from engine.training.schedule import StageSchedule


def test_prefetching_keeps_the_order_and_passes_errors_on() -> None:
    assert list(prefetched(range(50), lambda item: item * 2, workers=3)) == [item * 2 for item in range(50)]
    made = prefetched(range(50), lambda item: 1 // (7 - item), workers=3)
    with pytest.raises(ZeroDivisionError):
        list(made)


def test_a_batch_made_ahead_with_a_film_that_was_lost_meanwhile_is_made_anew(
    short: RunConfig,
) -> None:
    loaded = load(short, torch.device("cpu"), None)
    samples = [one for one in read_curriculum(short.data.curriculum) if one.stage == "stage_a"]
    pool = encode_all(samples, loaded.base.encoder, 512)
    schedule = StageSchedule(
        seed=0,
        stage="stage_a",
        section=short.stages.stage_a,
        lengths=[len(one.ids) for one in pool],
        own=len(pool),
    )
    collator = Collator(short.data.image_root, loaded.base.image_processor, loaded.base.pad_id)
    quarantine = Quarantine(limit=2)
    loader = StageLoader(schedule=schedule, pool=pool, collator=collator, quarantine=quarantine, workers=1)
    asked = _MicroBatch(step=3, epoch=1, last=True, samples=pool[:3])
    ahead = loader._make(asked)
    quarantine.add(LostFilm(pool[1].sample, "gone"), "stage_a", 2, samples)
    settled = loader._settle(asked, ahead)
    assert settled.samples[0] == pool[0].sample.id
    assert settled.samples[1] != pool[1].sample.id
    assert settled.samples == loader._settle(asked, loader._make(asked)).samples
    before = _MicroBatch(step=1, epoch=0, last=True, samples=pool[:3])
    assert loader._settle(before, loader._make(before)).samples[1] == pool[1].sample.id


def test_what_is_left_of_a_stage_is_what_the_whole_of_it_goes_on_with(short: RunConfig) -> None:
    loaded = load(short, torch.device("cpu"), None)
    samples = [one for one in read_curriculum(short.data.curriculum) if one.stage == "stage_a"]
    pool = encode_all(samples, loaded.base.encoder, 512)
    lengths = [len(one.ids) for one in pool]
    loader = StageLoader(
        schedule=StageSchedule(
            seed=0, stage="stage_a", section=short.stages.stage_a, lengths=lengths, own=len(pool)
        ),
        pool=pool,
        collator=Collator(short.data.image_root, loaded.base.image_processor, loaded.base.pad_id),
        quarantine=Quarantine(),
        workers=2,
    )

    def named(after: int) -> list[tuple[int, list[tuple[str, ...]]]]:
        return [(step, [one.samples for one in batches]) for step, batches in loader.steps(after)]

    whole = named(0)
    assert [step for step, _ in whole] == list(range(1, loader.schedule.steps + 1))
    assert all(named(after) == whole[after:] for after in range(1, len(whole) + 1))
