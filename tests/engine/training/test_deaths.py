"""Deaths at chosen instants, and what a signal, a person or somebody with a broom may do to a run beside them."""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.config import RunConfig, freeze
from engine.model.lora import trainable
from engine.runs.checkpoints import CheckpointMeta
from engine.runs.exactness import differences, evidence
from engine.runs.layout import RunPaths, create_run
from engine.runs.process import launch
from engine.runs.store.opening import RunWriter, status_of
from engine.runs.store.rows import GeneratedSample
from engine.training import checkpoint as checkpoints
from engine.training import train
from engine.training.checkpoint import newest_valid, write_checkpoint
from engine.training.control import Control, Interrupt, Signals
from engine.training.loaded import load

from .living import alerts, asking, live, prepare, wait_for

pytestmark = pytest.mark.slow

STAGE_A = ("stage_a",)


class Death(BaseException):
    """Ends an engine without a chance to tidy up, as SIGKILL does."""


def assert_same(paths: RunPaths, unbroken: RunPaths) -> None:
    assert differences(evidence(paths, STAGE_A), evidence(unbroken, STAGE_A)) == []


def dies(owner: Any, name: str, after: Callable[..., bool]) -> pytest.MonkeyPatch:
    """From now on `owner.name` is death once it has done what `after` is true of."""
    patch, real = pytest.MonkeyPatch(), getattr(owner, name)

    def deadly(*arguments: Any, **named: Any) -> Any:
        done = real(*arguments, **named)
        if after(*arguments, **named):
            raise Death
        return done

    patch.setattr(owner, name, deadly)
    return patch


def counting(number: int, condition: Callable[..., bool] = lambda *_, **__: True) -> Callable[..., bool]:
    """True at the `number`-th call that `condition` holds for."""
    seen = [0]

    def counted(*arguments: Any, **named: Any) -> bool:
        seen[0] += bool(condition(*arguments, **named))
        return seen[0] == number

    return counted


def scored(_: RunWriter, sample: GeneratedSample) -> bool:
    return sample.purpose == "evaluation"


def measured(*tags: str) -> Callable[..., bool]:
    return lambda writer, stage, step, values: any(tag in values for tag in tags)


#: In the order in which a run comes to them: where, and which call of it is the last.
DEATHS: list[tuple[Any, str, Callable[..., bool]]] = [
    (train, "loss_of", counting(3)),  # in the midst of the second accumulation window
    (RunWriter, "scalars", counting(1, measured("val/loss"))),  # before the checkpoint of the best
    (checkpoints, "write_checkpoint", counting(1)),  # before it is told
    (RunWriter, "checkpoint", counting(1)),  # before older ones are rotated
    (train, "loss_of", counting(2)),
    (RunWriter, "checkpoint", counting(1)),
    (RunWriter, "scalars", counting(1, measured("val/bleu4"))),  # before the samples they were taken from
    (RunWriter, "sample", counting(2, scored)),
    (RunWriter, "sample", counting(4, scored)),  # after the last of them
]


def test_deaths_at_the_worst_instants_cost_nothing(
    unbroken: RunPaths, tmp_path: Path, short: RunConfig
) -> None:
    """One after the other in one run, which reads its films with more threads each time."""
    paths = prepare(tmp_path / "run", short)
    for number, (owner, name, after) in enumerate(DEATHS):
        data = short.data.model_copy(update={"workers": 1 + number % 3})
        freeze(short.model_copy(update={"data": data}), paths.config)
        patch = dies(owner, name, after)
        with pytest.raises(Death):
            live(paths, "stage_a")
        patch.undo()
        assert status_of(paths).state == "crashed"
    assert live(paths, "stage_a") == 0
    assert_same(paths, unbroken)


def test_a_death_at_any_point_of_a_checkpoint_s_writing_leaves_a_whole_one(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call that changes the disk is once the last one; what is found then is the one before or the new one."""
    model = load(config, torch.device("cpu"), None).model
    optimizer = torch.optim.AdamW(trainable(model).values())
    directory = tmp_path / "c"
    metas = [CheckpointMeta("stage_a", 3, 9), CheckpointMeta("stage_a", 3, 9, "finished")]
    found: list[CheckpointMeta] = []
    for last in range(1, 100):
        checkpoints.recover(directory)
        write_checkpoint(directory, "stage_a-000003", model, optimizer, metas[0])
        calls = [0]
        with pytest.MonkeyPatch.context() as patch:
            for owner, name in [
                (checkpoints, "save_file"),
                (checkpoints, "_write_json"),
                (checkpoints, "_flush"),
                (checkpoints, "remove"),
                (Path, "mkdir"),
                (Path, "rename"),
            ]:
                patch.setattr(owner, name, deadly_at(last, calls, getattr(owner, name)))
            try:
                write_checkpoint(directory, "stage_a-000003", model, optimizer, metas[1])
                break
            except Death:
                pass
        checkpoints.recover(directory)
        newest, left = newest_valid(directory)
        assert newest is not None and newest.meta in metas and not left, last
        assert [path.name for path in directory.iterdir()] == ["stage_a-000003"]
        found.append(newest.meta)
    assert len(found) > 12 and set(found) == set(metas)
    assert sorted(found, key=metas.index) == found, "once it is there it stays"


def deadly_at(last: int, calls: list[int], real: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        done = real(*arguments, **named)
        if calls[0] == last:
            raise Death
        return done

    return counted


def test_a_stopped_stage_gone_on_with_ends_as_if_it_had_not_been_stopped(
    unbroken: RunPaths, tmp_path: Path, short: RunConfig
) -> None:
    paths = prepare(tmp_path / "run", short)
    assert live(paths, "stage_a", {("stage_a", 2): asking(paths, "stop")}) == 1
    assert status_of(paths).state == "stopped"
    assert live(paths, "stage_a", same_stage=True) == 0
    ours, theirs = evidence(paths, STAGE_A), evidence(unbroken, STAGE_A)
    assert (ours.scalars, ours.samples, ours.doubled) == (theirs.scalars, theirs.samples, ())
    assert theirs.files.items() <= ours.files.items()


# --- signals ----------------------------------------------------------------------------------------------

AT_TORCH = """
import os, runpy, signal, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch" and self in sys.meta_path:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Watch())
sys.argv[0] = "engine"
runpy.run_module("engine", run_name="__main__")
"""


def test_a_signal_that_comes_while_torch_is_loaded_parks(tmp_path: Path, short: RunConfig) -> None:
    paths = prepare(tmp_path / "run", short)
    code = AT_TORCH.format(number=int(signal.SIGTERM))
    launch(paths, [sys.executable, "-P", "-c", code, "run", str(paths.root)])
    status = wait_for(paths, lambda status: not status.live)
    assert (status.state, status.by_signal) == ("parked", True), paths.log.read_text()
    assert "SIGTERM" in status.message


@pytest.mark.parametrize("held", [True, False])
def test_a_signal_does_not_undo_that_a_person_holds_the_run(tmp_path: Path, held: bool) -> None:
    with RunWriter(create_run(tmp_path, "run")) as writer:
        signals = Signals()
        control = Control(writer, signals)
        control.enter("training")
        signals.asked = "SIGTERM"
        with pytest.raises(Interrupt) as raised:
            control.hold("asked by somebody") if held else control.poll()
    assert (raised.value.verb, raised.value.by_signal) == ("park", not held)


# --- the run directory --------------------------------------------------------------------------------------


def test_checkpoints_that_are_gone_are_asked_for_before_anything_is_done_again(
    unbroken: RunPaths, tmp_path: Path, short: RunConfig
) -> None:
    paths, away = prepare(tmp_path / "run", short), tmp_path / "away"
    assert live(paths, "stage_a", {("stage_a", 3): asking(paths, "park")}) == 1
    paths.checkpoints.rename(away)
    paths.checkpoints.mkdir()  # as a disk's place is, while it is not mounted
    before = evidence(paths, STAGE_A).scalars
    assert live(paths, "stage_a") == 2
    assert "holds no checkpoint, but the run had written stage_a-000003" in (status_of(paths).error or "")
    assert evidence(paths, STAGE_A).scalars == before
    paths.checkpoints.rmdir()
    away.rename(paths.checkpoints)
    assert live(paths, "stage_a") == 0
    assert_same(paths, unbroken)


def test_a_configuration_cut_short_is_told(tmp_path: Path, short: RunConfig) -> None:
    paths = prepare(tmp_path / "run", short)
    whole = paths.config.read_text()
    os.truncate(paths.config, whole.index("  max_new_tokens:"))
    assert live(paths, "stage_a", {("stage_a", 1): asking(paths, "park")}) == 1
    (told,) = [event.message for event in alerts(paths)]
    assert "it lacks evaluation.max_new_tokens; their defaults count" in told


def test_damage_that_only_a_look_at_the_samples_meets_is_mended_while_it_trains(
    unbroken: RunPaths, tmp_path: Path, short: RunConfig
) -> None:
    paths = prepare(tmp_path / "run", short)

    def harm() -> None:
        with closing(sqlite3.connect(paths.db)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            query = "SELECT rootpage FROM sqlite_schema WHERE name = 'sample_by_step'"
            (page,) = connection.execute(query).fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
        with paths.db.open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)

    assert live(paths, "stage_a", {("stage_a", 2): harm}) == 0
    assert any("kept aside as run.db.damaged-1" in event.message for event in alerts(paths))
    assert_same(paths, unbroken)
