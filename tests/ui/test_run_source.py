"""A real run directory, as the Flight screen gets to see it."""

import math
import os
from dataclasses import replace
from types import ModuleType

import pytest

from cockpit.screens.flight import summaries
from cockpit.screens.flight.source import RunSource
from cockpit.toolkit.graphics.film import Thumbnail
from cockpit.views.labels import marks
from engine.runs.layout import RunPaths, create_run
from engine.runs.lock import EngineLock
from engine.runs.store.opening import NoEngine, open_writer
from engine.runs.store.rows import Scalar


@pytest.fixture
def parked(record) -> RunPaths:
    return record()


def test_the_route(parked: RunPaths) -> None:
    state = RunSource(parked, pictures=False).read()
    first, second = state.stages
    assert (first.status, first.step, first.steps, first.loss) == ("done", 40, 40, 1.2)
    assert first.score == ("F1", 0.78)
    assert first.seconds == 39.0
    assert first.checkpoints == (40,) and first.validations == (40,)
    assert (second.status, second.step, second.steps, second.bar) == ("now", 50, 100, 1.5)
    assert state.state == "parked" and state.checkpoint == "stage_b-000050"


def test_the_curves_and_their_gap(parked: RunPaths) -> None:
    first, second = RunSource(parked, pictures=False).read().curves
    assert (first.offset, second.offset) == (0, 40)
    assert len(first.raw) == 40 and math.isnan(first.raw[6].mean)
    assert second.validation == ((50, 1.2),)


def test_memory_and_events(parked: RunPaths) -> None:
    state = RunSource(parked, pictures=False).read()
    assert state.memory.total == 7.8 * 1024**3 and state.memory.device is None
    assert state.memory.silent == ("utilization",) and state.machine.endswith("8 GiB  MPS")
    assert [event.text for event in state.events][-2:] == ["stage B step 3: loss jumped", "parked"]
    assert state.events[-2].level == "warning"
    assert any(event.text == "checkpoint stage_b-000050, 12.0 MB" for event in state.events)


def test_cases_with_their_marks_and_pictures(parked: RunPaths) -> None:
    found, gone = RunSource(parked, pictures=True).read().cases
    assert found.labels == (("hit", "Pleural Effusion"), ("missed", "Edema"), ("invented", "Fracture"))
    assert found.codes == ()
    assert found.generated == "Large [bold]effusion\x1b[31m."
    assert isinstance(found.picture, Thumbnail) and found.picture.height == 50
    assert gone.picture is None and "no such image" in gone.picture_error
    assert found.place == "case 1 of 2"


def test_without_pictures_none_is_opened(parked: RunPaths) -> None:
    found, gone = RunSource(parked, pictures=False).read().cases
    assert found.picture is None and gone.picture_error == ""


def test_an_unchanged_run_gives_an_equal_state(parked: RunPaths) -> None:
    source = RunSource(parked, pictures=True)
    assert source.read() == source.read()


def test_what_is_written_later_is_seen(record) -> None:
    paths = record(end=None)
    source = RunSource(paths, pictures=False)
    assert source.read().state == "crashed"
    with EngineLock.take(paths), open_writer(paths) as writer:
        writer.state("holding")
        writer.scalars("stage_b", 51, {"train/loss": 0.5})
        writer.progress("stage_b", 51, 100, 1.6, 0.5, 11.0, 60.0, 4.0, None)
        state = source.read()
        assert state.state == "holding" and state.stages[1].step == 51
        assert state.pace.left == 60.0 and state.curves[1].raw[-1].mean == 0.5


def test_a_command_reaches_the_engine_and_its_answer_comes_back(record) -> None:
    paths = record(end=None)
    source = RunSource(paths, pictures=False)
    with EngineLock.take(paths), open_writer(paths) as writer:
        request = source.request("hold")
        assert source.outcome(request) is None
        (command,) = writer.take_commands()
        assert (command.verb, command.who) == ("hold", "cockpit")
        writer.finish_command(command.id, "holding at step 51", True)
        assert source.outcome(request) == (True, "holding at step 51")


def test_without_an_engine_no_command_is_left_behind(parked: RunPaths) -> None:
    with pytest.raises(NoEngine):
        RunSource(parked, pictures=False).request("hold")


def test_a_run_without_a_database_is_shown(tmp_path) -> None:
    paths = create_run(tmp_path / "runs", "fresh")
    assert RunSource(paths, pictures=False).read().state == "crashed"
    with EngineLock.take(paths):
        assert RunSource(paths, pictures=False).read().state == "preparing"


def test_s_after_the_last_stage_was_stopped_goes_on_with_it(record, monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[list[str]] = []
    monkeypatch.setattr("engine.runs.process.launch", lambda _paths, argv: launched.append(list(argv)))
    said = RunSource(record("last", end="stopped"), pictures=False).launch()
    RunSource(record("first", steps_b=0, end="stopped"), pictures=False).launch()
    assert "--same-stage" in launched[0] and "--same-stage" not in launched[1]
    assert said == "a new engine goes on from stage_b-000050"


def test_the_time_between_two_engines_is_not_counted() -> None:
    rows = [
        Scalar("stage_a", step, "train/loss", 1.0, wall, attempt)
        for step, wall, attempt in ((1, 10.0, 1), (2, 12.0, 1), (3, 5000.0, 2), (4, 5003.0, 2))
    ]
    assert summaries.ended_stage_seconds(rows) == 5.0
    assert summaries.ended_stage_seconds([]) is None


@pytest.mark.parametrize(
    ("index", "now", "state", "step", "status"),
    [
        (0, None, "preparing", 0, "ahead"),
        (1, 0, "training", 0, "ahead"),
        (0, 0, "training", 5, "now"),
        (0, 0, "evaluating", 10, "now"),
        (0, 1, "training", 10, "done"),
        (0, 1, "training", 6, "stopped"),
        (1, 1, "stopped", 6, "stopped"),
        (1, 1, "finished", 10, "done"),
        (1, 1, "crashed", 6, "now"),
    ],
)
def test_where_a_stage_stands(index: int, now: int | None, state: str, step: int, status: str) -> None:
    assert summaries.stage_status(index, now, state, step, 10) == status


def test_marks_keep_their_order() -> None:
    assert marks(["b", "c"], ["a", "b"]) == (("hit", "b"), ("missed", "a"), ("invented", "c"))


def test_codes_are_dotted(kit: ModuleType) -> None:
    changes = {
        "stage": "stage_b",
        "labels": None,
        "labels_reference": None,
        "icd": None,
        "icd_reference": ["10:I509"],
        "reference": "Heart failure.\nICD: I50.9 Heart failure",
    }
    view = summaries.case_view(replace(kit.sample_row("one.png"), **changes), "")
    assert view.codes is None and view.codes_reference == ("I50.9",) and view.labels == ()
    assert view.reference == "Heart failure."


def test_while_a_resumed_run_loads_its_finished_stages_stay(record) -> None:
    """The engine has begun its attempt and notes what it does; nothing is trained yet."""
    paths = record("night", steps_b=50)
    with EngineLock.take(paths), open_writer(paths) as writer:
        writer.open_attempt()
        writer.begin_attempt("stage_b", 50, {})
        writer.state("loading")
        for stage, step in (("stage_b", 50), (None, None)):  # an older engine forgot where it was
            writer.progress(stage, step, note="films 12/900")
            source = RunSource(paths, pictures=False)
            first, second = source.read().stages
            source.close()
            assert (first.status, first.step, first.loss) == ("done", 40, 1.2)
            assert (second.status, second.step) == ("now", 50)


def test_an_evaluation_of_a_finished_run_takes_no_stage_back(record) -> None:
    paths = record("night", steps_b=100, end="finished")
    with EngineLock.take(paths) as lock:
        lock.record(os.getpid(), "evaluate", None)
        source = RunSource(paths, pictures=False)
        state = source.read()
        source.close()
    assert state.state == "evaluating"
    assert [stage.status for stage in state.stages] == ["done", "done"]


def test_the_route_marks_the_checkpoints_that_are_there(record) -> None:
    paths = record("night", steps_b=50)
    source = RunSource(paths, pictures=False)
    assert [stage.checkpoints for stage in source.read().stages] == [(40,), (50,)]
    (paths.checkpoints / "stage_b-000050").rmdir()
    (paths.checkpoints / "stage_b-000049.damaged").mkdir()
    state = source.read()  # nothing was written to the database meanwhile
    source.close()
    assert [stage.checkpoints for stage in state.stages] == [(40,), ()]
    assert state.checkpoint == "stage_a-000040"
