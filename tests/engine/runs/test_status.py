"""The states, the stall rule, and what is not known."""

import os
import time
from collections.abc import Iterator

import pytest

from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock, Holder
from engine.runs.store.opening import RunReader, RunWriter, status_of

KEYS = [
    "run", "state", "stalled", "stage", "step", "steps", "epoch", "loss", "eta_seconds", "samples_per_second",
    "memory_bytes", "checkpoint", "pid", "error",
    "eta_low_seconds", "eta_high_seconds", "done_at", "slower_than_planned",
]  # fmt: skip


@pytest.fixture
def lock(paths: RunPaths) -> Iterator[EngineLock]:
    with EngineLock.take(paths) as taken:
        taken.record(os.getpid(), "run", None)
        yield taken


def test_held_lock_without_database_is_preparing(paths: RunPaths, lock: EngineLock) -> None:
    status = status_of(paths)
    assert (status.state, status.step, status.error) == ("preparing", None, None)
    assert status.pid is not None


def test_json_has_exactly_the_documented_keys(writer: RunWriter, reader: RunReader, lock: EngineLock) -> None:
    writer.state("training")
    assert list(reader.status().as_json()) == KEYS


@pytest.mark.parametrize(
    "state", ["preparing", "starting", "loading", "training", "evaluating", "holding", "stopping"]
)
def test_live_states_without_a_lock_are_a_crash(writer: RunWriter, reader: RunReader, state: str) -> None:
    writer.state(state)
    assert reader.status().state == "crashed"
    with EngineLock.take(writer.paths):
        assert reader.status().state == state


@pytest.mark.parametrize("state", ["parked", "stopped", "finished", "failed"])
def test_end_states_stay(writer: RunWriter, reader: RunReader, state: str) -> None:
    writer.state("training")
    writer.state(state, "said so")
    status = reader.status()
    assert (status.state, status.pid, status.live) == (state, None, False)
    assert status.error == ("said so" if state == "failed" else None)


def test_figures(writer: RunWriter, reader: RunReader, lock: EngineLock) -> None:
    writer.state("training", "here we go")
    writer.plan([{"stage": "stage_a", "steps": 40}])
    writer.progress("stage_a", 3, None, 0.5, 1.25, 2.0, 60.0, 5.0, 1 << 30, "note", 50.0, 90.0)
    status = reader.status()
    assert (status.stage, status.step, status.steps, status.epoch, status.loss) == (
        "stage_a",
        3,
        40,
        0.5,
        1.25,
    )
    assert (status.samples_per_second, status.eta_seconds) == (2.0, 60.0)
    assert (status.eta_low_seconds, status.eta_high_seconds) == (50.0, 90.0)
    assert status.done_at == pytest.approx(time.time() + 60, abs=30)
    assert (status.memory_bytes, status.note, status.message) == (1 << 30, "note", "here we go")
    lock.close()
    status = reader.status()
    assert (status.step, status.loss) == (3, 1.25)
    assert (status.eta_seconds, status.samples_per_second, status.memory_bytes) == (None, None, None)


@pytest.mark.parametrize(("state", "clock"), [("evaluating", True), ("holding", False), ("parked", False)])
def test_the_time_left_stays_while_the_run_rests_or_is_judged(
    writer: RunWriter, reader: RunReader, lock: EngineLock, state: str, clock: bool
) -> None:
    """Without a time of day where it waits for a person."""
    writer.state("training")
    writer.progress("stage_a", 3, 40, eta_seconds=60.0, eta_low=50.0, eta_high=90.0)
    writer.state(state)
    if state == "parked":
        lock.close()
    status = reader.status()
    assert (status.eta_seconds, status.eta_low_seconds, status.eta_high_seconds) == (60.0, 50.0, 90.0)
    assert (status.done_at is not None) is clock


def test_a_pace_that_was_not_planned_is_told(writer: RunWriter, reader: RunReader, lock: EngineLock) -> None:
    writer.plan([{"stage": "stage_a", "steps": 40, "planned_samples_per_second": 7.0}])
    writer.state("training")
    for step in range(1, 30):
        rate = 900.0 if step == 25 else 0.2
        writer.scalars("stage_a", step, {"train/samples_per_second": rate})
        writer.progress("stage_a", step, 40)
    assert reader.status().slower_than_planned == pytest.approx(35.0)


def test_error_of_this_attempt_explains_the_end(writer: RunWriter, reader: RunReader) -> None:
    writer.begin_attempt("stage_a", 0, {})
    writer.event("error", "out of memory", level="error")
    writer.state("failed", "ended")
    assert reader.status().error == "out of memory"
    writer.begin_attempt("stage_a", 0, {})
    writer.state("loading")
    assert "last state: loading" in (reader.status().error or "")
    assert "out of memory" not in (reader.status().error or "")


def test_evaluation_engine_shows_while_it_lives(writer: RunWriter, reader: RunReader) -> None:
    writer.state("finished")
    with EngineLock.take(writer.paths) as lock:
        lock.record(os.getpid(), "evaluate", None)
        assert reader.status().state == "evaluating"
    assert reader.status().state == "finished"


@pytest.mark.parametrize(
    ("slowest", "quiet", "stalled"),
    [
        (1.0, 80, False), (1.0, 100, True),  # floor 90 s
        (20.0, 110, False), (20.0, 130, True),  # six steps
        (900.0, 890, False), (900.0, 910, True),  # cap 15 min
        (None, 890, False), (None, 910, True),  # no step yet
    ],
)  # fmt: skip
def test_stall_rule(
    writer: RunWriter,
    reader: RunReader,
    lock: EngineLock,
    monkeypatch: pytest.MonkeyPatch,
    slowest: float | None,
    quiet: float,
    stalled: bool,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    writer.state("training")
    writer.progress("stage_a", 0)
    if slowest is not None:
        clock[0] += slowest
        writer.progress("stage_a", 1)
    clock[0] += quiet
    assert reader.status().stalled is stalled
    writer.state("holding")
    clock[0] += 10_000
    assert reader.status().stalled is False
    writer.state("training")
    assert reader.status().stalled is False


def test_time_spent_holding_is_no_slow_step(
    writer: RunWriter, reader: RunReader, lock: EngineLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    writer.state("training")
    for step, seconds in enumerate([1, 1, 1]):
        clock[0] += seconds
        writer.progress("stage_a", step)
    writer.state("holding")
    clock[0] += 5000
    writer.state("training")
    clock[0] += 1
    writer.progress("stage_a", 3)
    clock[0] += 100
    assert reader.status().stalled is True


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
def test_a_clock_that_jumps_stalls_nothing_and_hides_no_stall(
    writer: RunWriter, reader: RunReader, lock: EngineLock, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    wall, steady = [time.time()], [1000.0]
    monkeypatch.setattr(time, "time", lambda: wall[0])
    monkeypatch.setattr(time, "monotonic", lambda: steady[0])
    writer.state("training")
    for step in range(3):
        steady[0] += 1
        writer.progress("stage_a", step)
    wall[0] += jump
    assert reader.status().stalled is False
    steady[0] += 1
    writer.progress("stage_a", 3)
    steady[0] += 95
    assert reader.status().stalled is True
    writer.event("note", "after the jump")
    assert [event.kind for event in reader.events()] == ["state", "note"]


def test_lock_taken_between_two_looks_is_no_crash(
    writer: RunWriter, reader: RunReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.state("starting")
    looks = iter([None, Holder(4711)])
    monkeypatch.setattr("engine.runs.store.reader.lock_holder", lambda _: next(looks))
    assert reader.status().state == "starting"
