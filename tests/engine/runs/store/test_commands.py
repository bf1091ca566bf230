"""Asking an engine for something, and the answer."""

import os
import threading
from collections.abc import Iterator

import pytest

from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock
from engine.runs.store.opening import NoEngine, RunReader, RunWriter, open_writer


@pytest.fixture
def lock(paths: RunPaths) -> Iterator[EngineLock]:
    with EngineLock.take(paths) as taken:
        taken.record(os.getpid(), "run", None)
        yield taken


def state_of(reader: RunReader, request: int) -> str:
    outcome = reader.outcome(request)
    assert outcome is not None
    return outcome.state


def commands(writer: RunWriter) -> int:
    (count,) = writer._database.connection.execute("SELECT count(*) FROM command").fetchone()
    return int(count)


def test_without_an_engine_nothing_is_written(writer: RunWriter, reader: RunReader) -> None:
    writer.begin_attempt("stage_a", 0, {})
    writer.state("parked")
    with pytest.raises(NoEngine, match="it is parked"):
        reader.request("hold")
    assert commands(writer) == 0


def test_taken_once_and_answered(writer: RunWriter, reader: RunReader, lock: EngineLock) -> None:
    writer.begin_attempt("stage_a", 0, {})
    number = reader.request("evaluate", {"limit": 3}, who="\ud800 me")
    assert reader.outcome(number) is None
    (command,) = writer.take_commands()
    assert (command.id, command.verb, command.arguments) == (number, "evaluate", {"limit": 3})
    assert (command.who, command.attempt) == ("\ud800 me", 1)
    assert writer.take_commands() == []
    assert reader.outcome(number) is None
    writer.finish_command(number, "no such checkpoint", ok=False)
    assert reader.outcome(number) == ("refused", "no such checkpoint")


def test_order_is_kept(writer: RunWriter, reader: RunReader, lock: EngineLock) -> None:
    writer.begin_attempt("stage_a", 0, {})
    for verb in ("hold", "save", "continue"):
        reader.request(verb)
    assert [command.verb for command in writer.take_commands()] == ["hold", "save", "continue"]


def test_unknown_verb_is_a_mistake(reader: RunReader, lock: EngineLock) -> None:
    with pytest.raises(ValueError, match="explode"):
        reader.request("explode")


def test_later_attempt_voids_what_was_not_done(
    writer: RunWriter, reader: RunReader, lock: EngineLock
) -> None:
    writer.begin_attempt("stage_a", 0, {})
    untaken = reader.request("hold")
    writer.begin_attempt("stage_a", 0, {})
    assert writer.take_commands() == []
    assert state_of(reader, untaken) == "void"


def test_taken_but_unfinished_by_a_dead_engine_is_void(
    writer: RunWriter, reader: RunReader, lock: EngineLock
) -> None:
    writer.begin_attempt("stage_a", 0, {})
    taken = reader.request("save")
    writer.take_commands()
    writer.begin_attempt("stage_a", 0, {})
    assert state_of(reader, taken) == "void"


def test_end_of_the_engine_voids_untaken_ones_only(
    writer: RunWriter, reader: RunReader, lock: EngineLock
) -> None:
    writer.begin_attempt("stage_a", 0, {})
    park = reader.request("park")
    writer.take_commands()
    late = reader.request("save")
    writer.state("parked")
    assert state_of(reader, late) == "void"
    writer.finish_command(park, "parked", ok=True)
    assert reader.outcome(park) == ("done", "parked")


def test_asked_before_the_attempt_begins(
    paths: RunPaths, writer: RunWriter, reader: RunReader, lock: EngineLock
) -> None:
    """The launcher opens the attempt; what is asked while the engine prepares is meant for it."""
    attempt = writer.open_attempt()
    lock.record(os.getpid(), "run", attempt)
    number = reader.request("park")
    with open_writer(paths) as engine:
        assert engine.open_attempt() == attempt
        assert engine.begin_attempt("stage_a", 0, {}) == attempt
        assert [command.id for command in engine.take_commands()] == [number]
        assert engine.begin_attempt("stage_a", 0, {}) == attempt + 1


def test_evaluating_engine_takes_no_commands(writer: RunWriter, reader: RunReader, lock: EngineLock) -> None:
    lock.record(os.getpid(), "evaluate", None)
    with pytest.raises(NoEngine, match="being evaluated"):
        reader.request("hold")


def test_wait_for_the_outcome(writer: RunWriter, reader: RunReader, lock: EngineLock) -> None:
    writer.begin_attempt("stage_a", 0, {})
    number = reader.request("save")
    threading.Timer(0.1, writer.finish_command, (number, "saved", True)).start()
    assert reader.wait_outcome(number, timeout=5, poll=0.01) == ("done", "saved")


def test_wait_ends_with_the_engine(writer: RunWriter, reader: RunReader, lock: EngineLock) -> None:
    writer.begin_attempt("stage_a", 0, {})
    writer.state("training")
    number = reader.request("save")
    threading.Timer(0.1, lock.close).start()
    outcome = reader.wait_outcome(number, timeout=5, poll=0.01)
    assert outcome.state == "void" and "crashed" in outcome.text


def test_wait_has_an_end(writer: RunWriter, reader: RunReader, lock: EngineLock) -> None:
    writer.begin_attempt("stage_a", 0, {})
    with pytest.raises(TimeoutError):
        reader.wait_outcome(reader.request("save"), timeout=0.05, poll=0.01)
