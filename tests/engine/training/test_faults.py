"""What happens to a run in fourteen hours, made to happen: it goes on or holds, and what it ends with is the same."""

import math
import os
import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.config import RunConfig, freeze
from engine.data.curriculum import read_curriculum
from engine.model.lora import trainable
from engine.runs.exactness import differences, evidence
from engine.runs.layout import RunPaths
from engine.runs.store.opening import open_reader, open_writer, status_of
from engine.training import checkpoint as checkpoints
from engine.training import loaded, saving, train
from engine.training.batches import Batch, Collator, encode_all
from engine.training.checkpoint import NotWritten
from engine.training.loaded import load
from engine.training.loader import StageLoader, _MicroBatch
from engine.training.quarantine import LostFilm, Quarantine
from engine.training.sampling import loss_of
from engine.training.schedule import StageSchedule
from engine.training.stage import Stage
from engine.training.stage_evaluation import StageEvaluation
from engine.training.state import StepRecord

from .living import alerts, ask, asking, live, living, prepare, wait_for

pytestmark = pytest.mark.slow

STAGE_A = ("stage_a",)


@pytest.fixture(scope="module")
def short(config: RunConfig) -> RunConfig:
    """Four steps of stage A, few words generated, no film of the second epoch read before the first step is done."""
    evaluation = config.evaluation.model_copy(update={"cases": 1, "max_new_tokens": 2})
    data = config.data.model_copy(update={"workers": 1})
    return config.model_copy(update={"evaluation": evaluation, "data": data})


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, short: RunConfig) -> RunPaths:
    """Stage A of a run that nothing happened to."""
    paths = prepare(tmp_path_factory.mktemp("runs") / "unbroken", short)
    assert live(paths, "stage_a") == 0
    return paths


@pytest.fixture
def films(tmp_path: Path, short: RunConfig) -> Path:
    """An image root of the test's own."""
    shutil.copytree(short.data.image_root / "films", tmp_path / "root" / "films")
    return tmp_path / "root"


def with_root(config: RunConfig, root: Path) -> RunConfig:
    return config.model_copy(update={"data": config.data.model_copy(update={"image_root": root})})


def with_workers(config: RunConfig, workers: int) -> RunConfig:
    return config.model_copy(update={"data": config.data.model_copy(update={"workers": workers})})


def tolerating(config: RunConfig, **limits: int) -> RunConfig:
    return config.model_copy(update={"tolerance": config.tolerance.model_copy(update=limits)})


def assert_same(paths: RunPaths, unbroken: RunPaths) -> None:
    assert differences(evidence(paths, STAGE_A), evidence(unbroken, STAGE_A)) == []


def assert_same_but_for_rolling_checkpoints(paths: RunPaths, unbroken: RunPaths) -> None:
    ours, theirs = evidence(paths, STAGE_A), evidence(unbroken, STAGE_A)
    assert (ours.scalars, ours.samples, ours.doubled) == (theirs.scalars, theirs.samples, ())
    last = {key: value for key, value in theirs.files.items() if "stage_a-000004" in str(key)}
    assert len(last) == 2
    assert last.items() <= ours.files.items()


def said(paths: RunPaths) -> str:
    return "\n".join(event.message for event in alerts(paths))


# --- the disk -------------------------------------------------------------------------------------------


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Set "full" and no checkpoint can be written, as with a disk on which nothing is free."""
    state = {"full": False}
    usage = shutil.disk_usage

    def disk_usage(place: Any) -> Any:
        found = usage(place)
        return found._replace(free=0) if state["full"] else found

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    return state


def test_a_full_disk_costs_no_step_and_checkpoints_come_back_with_the_room(
    unbroken: RunPaths, tmp_path: Path, short: RunConfig, full_disk: dict[str, bool]
) -> None:
    paths = prepare(tmp_path / "run", short)
    there: list[str] = []

    def fill() -> None:
        full_disk["full"] = True

    def empty() -> None:
        there.extend(path.name for path in paths.checkpoints.iterdir())
        full_disk["full"] = False

    assert live(paths, "stage_a", {("stage_a", 2): fill, ("stage_a", 4): empty}) == 0
    assert there == ["stage_a-000001"], "the old checkpoint is intact and nothing lies beside it"
    told = said(paths)
    assert told.count("could not be written") == 1
    assert "0.0 MB are free" in told
    assert "stage_a-000001 is whole" in told
    assert "checkpoints are written again" in told
    assert_same_but_for_rolling_checkpoints(paths, unbroken)


def test_a_stage_whose_last_checkpoint_finds_no_room_holds_until_there_is(
    unbroken: RunPaths,
    tmp_path: Path,
    short: RunConfig,
    full_disk: dict[str, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths = prepare(tmp_path / "run", short)
    monkeypatch.setattr(train, "RETRY_SECONDS", 3600.0)
    with living(paths, "stage_a", {("stage_a", 4): lambda: full_disk.update(full=True)}) as codes:
        held = wait_for(paths, lambda status: status.state == "holding")
        assert "the disk takes none" in held.message
        full_disk["full"] = False
        assert ask(paths, "continue")[0] == "done"
    assert codes == [0]
    assert_same_but_for_rolling_checkpoints(paths, unbroken)


def test_a_park_that_could_not_keep_its_word_is_refused_and_training_goes_on(
    unbroken: RunPaths, tmp_path: Path, short: RunConfig, full_disk: dict[str, bool]
) -> None:
    paths = prepare(tmp_path / "run", short)
    asked: list[int] = []

    def park_on_a_full_disk() -> None:
        full_disk["full"] = True
        asked.extend(asking(paths, "park")())

    def look() -> None:
        full_disk["full"] = False
        with open_reader(paths) as reader:
            outcome = reader.outcome(asked[0])
        assert outcome is not None and outcome.state == "refused"
        assert "stage_a-000001 is whole" in outcome.text

    assert live(paths, "stage_a", {("stage_a", 2): park_on_a_full_disk, ("stage_a", 3): look}) == 0
    assert_same(paths, unbroken)


def test_a_failed_checkpoint_is_tried_again_after_ever_more_steps(
    tmp_path: Path, short: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def full(directory: Path, name: str, *_: object) -> None:
        tried.append(int(name[-6:]))
        raise NotWritten("full")

    monkeypatch.setattr(saving.checkpoints, "write_checkpoint", full)
    monkeypatch.setattr(saving, "check_finite", lambda model: None)
    paths = prepare(tmp_path / "run", short)
    paths.checkpoints.mkdir()
    with open_writer(paths) as writer:
        nothing: Any = None
        saver = saving.Saver(model=nothing, optimizer=nothing, section=short.checkpoints, writer=writer)
        for step in range(1, 101):
            if step == 1 or saver.retry_due(step):
                assert saver.attempt(saving.CheckpointMeta("stage_a", step, 200)) is None
    assert tried == [1, 2, 4, 8, 16, 32, 64, 96]


@pytest.mark.parametrize("harm", ["flip", "cut", "missing"])
def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before(
    harm: str, unbroken: RunPaths, tmp_path: Path, short: RunConfig
) -> None:
    paths = prepare(tmp_path / "run", short)
    assert live(paths, "stage_a", {("stage_a", 3): asking(paths, "park")}) == 1
    victim = paths.checkpoints / "stage_a-000003" / "optimizer.safetensors"
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 8
    if harm == "missing":
        victim.unlink()
    else:
        victim.write_bytes(content if harm == "flip" else content[:-7])
    assert live(paths, "stage_a") == 0
    assert "checkpoint stage_a-000003 is damaged (optimizer.safetensors" in said(paths)
    with open_reader(paths) as reader:
        notes = [event.message for event in reader.events(kinds=("note",))]
    assert "going on from checkpoint stage_a-000002" in notes
    assert_same(paths, unbroken)


def test_the_best_by_validation_loss_outlives_rotation(
    tmp_path: Path, short: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = {1: 3.0, 2: 1.0, 3: 2.0, 4: math.nan}
    monkeypatch.setattr(StageEvaluation, "_loss", lambda self, samples: losses[self.state.step])
    cadence = short.cadence.model_copy(update={"validation": "1 step"})
    kept = short.checkpoints.model_copy(update={"keep": 1})
    paths = prepare(tmp_path / "run", short.model_copy(update={"cadence": cadence, "checkpoints": kept}))
    assert live(paths, "stage_a") == 0
    kept = sorted(path.name for path in paths.checkpoints.iterdir())
    assert kept == ["stage_a-000002", "stage_a-000004"]
    with open_reader(paths) as reader:
        told = [event.message for event in reader.events(kinds=("validation",))]
    assert "validation loss 1.000, the lowest so far" in told
    assert "validation loss 2.000" in told


# --- numbers --------------------------------------------------------------------------------------------


@pytest.fixture
def broken_samples(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Ids whose batches have no finite loss."""
    broken: set[str] = set()

    def poisoned(model: torch.nn.Module, batch: Batch, vocabulary: int) -> torch.Tensor:
        factor = float("nan") if broken & set(batch.samples) else 1.0
        return loss_of(model, batch, vocabulary) * factor

    monkeypatch.setattr(train, "loss_of", poisoned)
    return broken


def test_a_step_that_is_not_finite_is_skipped_told_and_the_same_after_a_resume(
    broken_samples: set[str], tmp_path: Path, short: RunConfig
) -> None:
    broken_samples.add("s3-a")
    whole, broken = prepare(tmp_path / "whole", short), prepare(tmp_path / "broken", short)
    assert live(whole, "stage_a") == 0
    skipped = [event for event in alerts(whole) if "skipped" in event.message]
    assert len(skipped) == 2, "once an epoch"
    assert "s3-a" in skipped[0].message
    assert "2 of 5 a stage may have" in skipped[1].message
    with open_reader(whole) as reader:
        losses = {row.step: row.value for row in reader.scalars(["train/loss"])}
    assert [step for step, loss in losses.items() if math.isnan(loss)] == [event.step for event in skipped]
    adapters = checkpoints.load_file(whole.checkpoints / "stage_a-000004" / "adapter_model.safetensors")
    assert all(bool(tensor.isfinite().all()) for tensor in adapters.values())

    assert live(broken, "stage_a", {("stage_a", 2): asking(broken, "park")}) == 1
    assert live(broken, "stage_a") == 0
    assert_same(broken, whole)
    last, _ = checkpoints.newest_valid(broken.checkpoints)
    assert last is not None and last.meta.skipped_steps == 2


def test_past_the_budget_it_holds_and_shows_the_samples(
    broken_samples: set[str], tmp_path: Path, short: RunConfig
) -> None:
    broken_samples.add("s3-a")
    paths = prepare(tmp_path / "run", tolerating(short, skipped_steps=0))
    with living(paths, "stage_a") as codes:
        held = wait_for(paths, lambda status: status.state == "holding")
        assert "s3-a" in held.message
        assert "tolerance.skipped_steps is 0" in held.message
        assert ask(paths, "continue")[0] == "done"
        again = wait_for(paths, lambda status: status.state == "holding" and status.step != held.step)
        assert again.step != held.step
        assert ask(paths, "park")[0] == "done"
    assert codes == [1]
    assert status_of(paths).state == "parked"


def test_weights_that_are_not_finite_become_no_checkpoint(tmp_path: Path, short: RunConfig) -> None:
    paths = prepare(tmp_path / "run", short)
    record_step = train.record_step

    def poisoning(stage: Stage, record: StepRecord) -> None:
        record_step(stage, record)
        if record.step == 3:
            with torch.no_grad():
                next(iter(trainable(stage.loaded.model).values())).fill_(math.inf)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "record_step", poisoning)
        assert live(paths, "stage_a") == 1
    assert "not finite" in (status_of(paths).error or "")
    newest, left = checkpoints.newest_valid(paths.checkpoints)
    assert newest is not None and (newest.name, left) == ("stage_a-000002", {})


# --- films ----------------------------------------------------------------------------------------------


def test_a_film_that_fails_is_replaced_and_stays_replaced(
    films: Path, tmp_path: Path, short: RunConfig
) -> None:
    """The films come back after the loss, and are read by more threads: the resumed run does without them all the same.

    Two are lost in the second of three epochs.
    """
    stage_a = short.stages.stage_a.model_copy(update={"epochs": 3})
    config = with_root(short, films)
    config = config.model_copy(update={"stages": config.stages.model_copy(update={"stage_a": stage_a})})
    whole, broken = prepare(tmp_path / "whole", config), prepare(tmp_path / "broken", config)
    lost = [films / "films" / f"{number}.png" for number in (3, 5)]
    content = {film: film.read_bytes() for film in lost}

    def lose() -> None:
        lost[0].unlink()
        lost[1].write_bytes(content[lost[1]][:300])

    def bring_back() -> None:
        for film in lost:
            film.write_bytes(content[film])

    assert live(whole, "stage_a", {("stage_a", 1): lose}) == 0
    told = [event for event in alerts(whole) if "lost_film" in event.data]
    assert {event.data["lost_film"] for event in told} == {"films/3.png", "films/5.png"}
    assert {event.data["sample"] for event in told} == {"s3-a", "s5-a"}
    assert {event.step for event in told} <= {3, 4}
    assert "2 of 20 films a run may lose" in told[-1].message

    bring_back()
    assert live(broken, "stage_a", {("stage_a", 1): lose, ("stage_a", 4): asking(broken, "park")}) == 1
    bring_back()
    freeze(with_workers(config, 3), broken.config)
    assert live(broken, "stage_a") == 0
    assert_same(broken, whole)
    never = prepare(tmp_path / "never", config)
    assert live(never, "stage_a") == 0
    differing = differences(evidence(never, STAGE_A), evidence(whole, STAGE_A))
    assert any("train/loss" in line for line in differing), "the loss of a film shows"


def test_a_film_that_turns_into_a_pipe_is_a_lost_film(films: Path, tmp_path: Path, short: RunConfig) -> None:
    stage_a = short.stages.stage_a.model_copy(update={"epochs": 3})
    config = with_root(short, films)
    config = config.model_copy(update={"stages": config.stages.model_copy(update={"stage_a": stage_a})})
    paths, film = prepare(tmp_path / "run", config), films / "films" / "3.png"

    def turn() -> None:
        film.unlink()
        os.mkfifo(film)

    try:
        with living(paths, "stage_a", {("stage_a", 1): turn}) as codes:
            pass
    finally:
        os.close(os.open(film, os.O_RDWR | os.O_NONBLOCK))  # lets go whoever waits at it
    assert codes == [0]
    told = [event for event in alerts(paths) if "lost_film" in event.data]
    assert [event.data["lost_film"] for event in told] == ["films/3.png"]
    assert "is a named pipe, not a plain file" in told[0].message


def test_a_batch_made_ahead_with_a_film_that_was_lost_meanwhile_is_made_anew(
    unbroken: RunPaths, short: RunConfig
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


def test_more_lost_films_than_a_run_bears_make_it_hold_until_they_are_mended(
    unbroken: RunPaths, films: Path, tmp_path: Path, short: RunConfig
) -> None:
    paths = prepare(tmp_path / "run", tolerating(with_root(short, films), lost_films=0))
    film = films / "films" / "3.png"
    content = film.read_bytes()
    with living(paths, "stage_a", {("stage_a", 1): film.unlink}) as codes:
        held = wait_for(paths, lambda status: status.state == "holding")
        assert "3.png: no such image" in held.message
        assert "tolerance.lost_films allows 0" in held.message
        film.write_bytes(content)
        assert ask(paths, "continue")[0] == "done"
    assert codes == [0]
    assert_same(paths, unbroken)


def test_a_disk_that_vanishes_costs_no_film(
    unbroken: RunPaths, films: Path, tmp_path: Path, short: RunConfig
) -> None:
    paths = prepare(tmp_path / "run", with_root(short, films))
    away = tmp_path / "away"
    with living(paths, "stage_a", {("stage_a", 1): lambda: films.rename(away)}) as codes:
        held = wait_for(paths, lambda status: status.state == "holding")
        assert "no film can be found any more" in held.message
        away.rename(films)
        assert ask(paths, "continue")[0] == "done"
    assert codes == [0]
    assert not [event for event in alerts(paths) if "lost_film" in event.data]
    assert_same(paths, unbroken)


def test_a_film_of_the_validation_samples_is_left_out_and_told(
    films: Path, tmp_path: Path, short: RunConfig
) -> None:
    paths = prepare(tmp_path / "run", with_root(short, films))
    assert live(paths, "stage_a", {("stage_a", 1): (films / "films" / "13.png").unlink}) == 0
    with open_reader(paths) as reader:
        told = [event.message for event in reader.events(kinds=("validation",))]
        judged = {row.case for row in reader.samples("stage_a") if row.purpose == "evaluation"}
    assert told[0].endswith("on 3 of 4 samples")
    assert judged == {"s12-a", "s14-a", "s15-a"}


def test_films_that_failed_between_two_attempts_are_borne_like_those_that_fail_in_their_midst(
    films: Path, tmp_path: Path, short: RunConfig
) -> None:
    paths = prepare(tmp_path / "run", with_root(short, films))
    assert live(paths, "stage_a", {("stage_a", 2): asking(paths, "park")}) == 1
    (films / "films" / "3.png").unlink()
    assert live(paths, "stage_a") == 0
    with open_reader(paths) as reader:
        notes = [event.message for event in reader.events(kinds=("note",))]
    assert any("1 cannot be read, others take their place" in note for note in notes)


# --- files and memory -----------------------------------------------------------------------------------


def test_the_base_and_the_curriculum_may_vanish_while_it_trains(
    unbroken: RunPaths, tmp_path: Path, short: RunConfig
) -> None:
    base, curriculum = tmp_path / "base", tmp_path / "curriculum.jsonl"
    shutil.copytree(short.base_directory, base)
    shutil.copy(short.data.curriculum, curriculum)
    config = short.model_copy(
        update={
            "model": short.model.model_copy(update={"base": str(base)}),
            "data": short.data.model_copy(update={"curriculum": curriculum}),
        }
    )
    paths = prepare(tmp_path / "run", config)

    def vanish() -> None:
        shutil.rmtree(base)
        curriculum.unlink()

    assert live(paths, "stage_a", {("stage_a", 1): vanish, ("stage_a", 3): asking(paths, "park")}) == 1
    assert status_of(paths).state == "parked"
    assert live(paths, "stage_a") == 2
    assert "curriculum.jsonl" in (status_of(paths).error or "")
    shutil.copy(short.data.curriculum, curriculum)
    assert live(paths, "stage_a") == 2
    assert "no model here" in (status_of(paths).error or "")
    shutil.copytree(short.base_directory, base)
    assert live(paths, "stage_a") == 0
    assert_same(paths, unbroken)


def greedy(*_: object) -> torch.Tensor:
    """Asks the allocator for more than any machine has."""
    return torch.empty(2**50)


def test_memory_that_runs_out_in_a_step_is_explained_and_nothing_is_lost(
    unbroken: RunPaths, tmp_path: Path, short: RunConfig
) -> None:
    cadence = short.cadence.model_copy(update={"checkpoint": "stage end"})
    paths = prepare(tmp_path / "run", short.model_copy(update={"cadence": cadence}))
    with pytest.MonkeyPatch.context() as patch:
        out = {("stage_a", 1): lambda: patch.setattr(train, "loss_of", greedy)}
        assert live(paths, "stage_a", out) == 1
    status = status_of(paths)
    assert status.state == "failed"
    assert "out of memory in a step of stage_a: base " in (status.error or "")
    assert "--set stages.stage_a.batch_size=1 --set stages.stage_a.accumulation=6" in (status.error or "")
    assert [path.name for path in paths.checkpoints.iterdir()] == ["stage_a-000001"]
    assert live(paths, "stage_a") == 0
    assert evidence(paths, STAGE_A).scalars == evidence(unbroken, STAGE_A).scalars


def test_memory_that_runs_out_while_loading_is_explained(
    tmp_path: Path, short: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded, "load_base", greedy)
    paths = prepare(tmp_path / "run", short)
    assert live(paths, "stage_a") == 1
    told = status_of(paths).error or ""
    assert "out of memory while loading: the base takes" in told
    assert "MiB in float32" in told
    assert "--set model.precision=bfloat16" in told


# --- clocks and people ----------------------------------------------------------------------------------


def test_a_clock_that_jumps_changes_nothing(
    unbroken: RunPaths, tmp_path: Path, short: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back an hour, forth a day, as after a wrong battery, summer time, or an hour asleep."""
    real, jumps = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + jumps[0])
    paths = prepare(tmp_path / "run", short)
    hour = 3600.0
    at = {
        ("stage_a", step): partial(jumps.__setitem__, 0, jump)
        for step, jump in ((1, -hour), (2, 24 * hour), (3, hour))
    }
    assert live(paths, "stage_a", at) == 0
    assert_same(paths, unbroken)


def test_a_cadence_in_minutes_heeds_no_wall_clock(
    tmp_path: Path, short: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, jumps = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + jumps[0])
    cadence = short.cadence.model_copy(update={"checkpoint": "10 minutes", "validation": "stage end"})
    paths = prepare(tmp_path / "run", short.model_copy(update={"cadence": cadence}))
    assert live(paths, "stage_a", {("stage_a", 2): lambda: jumps.__setitem__(0, 3600.0)}) == 0
    assert [path.name for path in paths.checkpoints.iterdir()] == ["stage_a-000004"]


@pytest.mark.parametrize(
    ("verbs", "states", "ends"),
    [
        (["hold", "continue", "hold", "continue"], ["done"] * 4, "finished"),
        (["hold", "save", "continue"], ["done"] * 3, "finished"),
        (["hold", "park", "continue", "stop"], ["done", "done", "refused", "refused"], "parked"),
        (["park", "stop", "hold"], ["done", "refused", "refused"], "parked"),
        (["stop", "park"], ["done", "refused"], "stopped"),
    ],
)
def test_contradictory_commands_are_each_answered_in_the_order_they_were_asked_in(
    verbs: list[str], states: list[str], ends: str, tmp_path: Path, short: RunConfig
) -> None:
    paths = prepare(tmp_path / "run", short)
    asked: list[int] = []
    live(paths, "stage_a", {("stage_a", 2): lambda: asked.extend(asking(paths, *verbs)())})
    with open_reader(paths) as reader:
        outcomes = [reader.outcome(number) for number in asked]
    assert [outcome.state if outcome else None for outcome in outcomes] == states
    assert status_of(paths).state == ends
