"""An engine in this process: the real one, with what a test does to it at a given step."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.config import RunConfig, freeze
from engine.planning.plan import planned_stages
from engine.runs.layout import RunPaths
from engine.runs.status import Status
from engine.runs.store.opening import open_reader, status_of
from engine.runs.store.rows import Event
from engine.training import session, train
from engine.training.control import Signals
from engine.training.stage import Stage
from engine.training.state import StepRecord

PATIENCE = 90  # seconds


def prepare(directory: Path, config: RunConfig) -> RunPaths:
    directory.mkdir(mode=0o700)
    paths = RunPaths(directory)
    freeze(config, paths.config)
    return paths


def live(
    paths: RunPaths,
    stages: str = "all",
    at: dict[tuple[str, int], Callable[[], object]] | None = None,
    same_stage: bool = False,
) -> int:
    """Be the engine until it ends; `at` names what happens right after a step. Returns the exit code."""
    record = train.record_step
    due = dict(at or {})

    def and_then(stage: Stage, made: StepRecord) -> None:
        record(stage, made)
        due.pop((stage.name, made.step), lambda: None)()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "record_step", and_then)
        code = session.run(paths, stages, same_stage, Signals(), planned_stages)
    assert not due or code, f"never came to {list(due)}"
    return code


@contextmanager
def living(
    paths: RunPaths, stages: str = "all", at: dict[tuple[str, int], Callable[[], object]] | None = None
) -> Iterator[list[int]]:
    """The same beside the test, which has to see to it that the engine ends; its exit code is in the list then."""
    codes: list[int] = []
    engine = threading.Thread(target=lambda: codes.append(live(paths, stages, at)))
    engine.start()
    yield codes
    engine.join(PATIENCE)
    assert codes, f"still {status_of(paths)}"


def wait_for(paths: RunPaths, condition: Callable[[Status], bool]) -> Status:
    """Polls, as every reader of a run directory does."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        status = status_of(paths)
        if condition(status):
            return status
        time.sleep(0.01)
    raise AssertionError(f"still {status_of(paths)}")


def ask(paths: RunPaths, verb: str) -> tuple[str, str]:
    with open_reader(paths) as reader:
        state, text = reader.wait_outcome(reader.request(verb, {}, "test"), timeout=PATIENCE)
        return state, text


def asking(paths: RunPaths, *verbs: str) -> Callable[[], list[int]]:
    """Something for `at`: the verbs, all asked for before the engine looks again."""

    def ask_all() -> list[int]:
        with open_reader(paths) as reader:
            return [reader.request(verb, {}, "test") for verb in verbs]

    return ask_all


def alerts(paths: RunPaths) -> list[Event]:
    with open_reader(paths) as reader:
        return reader.events(kinds=("alert",))
