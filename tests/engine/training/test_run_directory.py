"""Somebody moves, removes or replaces the run's directory, or a file in it, while the engine lives."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.config import RunConfig
from engine.runs import directory_watch
from engine.runs.exactness import differences, evidence
from engine.runs.layout import RunPaths
from engine.runs.lock import lock_holder
from engine.runs.store import database
from engine.runs.store.database_files import identity
from engine.runs.store.opening import open_reader, status_of

from .living import alerts, asking, live, prepare

pytestmark = pytest.mark.slow

STAGE_A = ("stage_a",)


@pytest.fixture(params=["at once", "within a second"])
def looks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is noticed at the next look for commands, or later, when other things may have met it first."""
    if request.param == "at once":
        monkeypatch.setattr(directory_watch, "LOOK_SECONDS", 0.0)
        monkeypatch.setattr(database, "LOOK_SECONDS", 0.0)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_watch, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(database, "LOOK_SECONDS", 0.0)


def told(paths: RunPaths) -> str:
    return "\n".join(event.message for event in alerts(paths))


def assert_same(paths: RunPaths, unbroken: RunPaths) -> None:
    assert differences(evidence(paths, STAGE_A), evidence(unbroken, STAGE_A)) == []


# --- the directory ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("looks")
@pytest.mark.parametrize("successor", [True, False], ids=["another bears its name", "nothing does"])
def test_a_run_that_is_moved_goes_on_where_it_is(
    unbroken: RunPaths, tmp_path: Path, short: RunConfig, successor: bool
) -> None:
    paths, moved = prepare(tmp_path / "run", short), RunPaths(tmp_path / "away" / "other")
    moved.root.parent.mkdir()

    def move() -> None:
        paths.root.rename(moved.root)
        if successor:
            paths.root.mkdir()

    assert live(paths, "stage_a", {("stage_a", 2): move}) == 0
    assert_same(moved, unbroken)
    assert status_of(moved).state == "finished"
    assert list(paths.root.iterdir()) == [] if successor else not paths.root.exists()


@pytest.mark.usefixtures("at_once")
def test_a_move_is_told_and_a_park_says_where_things_are(tmp_path: Path, short: RunConfig) -> None:
    paths, moved = prepare(tmp_path / "run", short), RunPaths(tmp_path / "moved")
    moves = {
        ("stage_a", 2): lambda: paths.root.rename(moved.root),
        ("stage_a", 3): asking(moved, "park"),
    }
    assert live(paths, "stage_a", moves) == 1
    assert f"was moved from {paths.root} to {moved.root}" in told(moved)
    assert status_of(moved).message.endswith("checkpoint stage_a-000003")
    assert (moved.checkpoints / "stage_a-000003").is_dir() and not paths.root.exists()


@pytest.mark.usefixtures("looks")
@pytest.mark.parametrize("successor", [True, False], ids=["another bears its name", "nothing does"])
def test_a_run_that_is_removed_ends_and_is_not_made_again(
    tmp_path: Path, short: RunConfig, successor: bool
) -> None:
    paths = prepare(tmp_path / "run", short)
    asked: list[int] = []
    kept = []

    def remove() -> None:
        asked.extend(asking(paths, "park")())
        kept.append(open_reader(paths))
        shutil.rmtree(paths.root)
        if successor:
            paths.root.mkdir()

    assert live(paths, "stage_a", {("stage_a", 2): remove}) == 1
    assert list(paths.root.iterdir()) == [] if successor else not paths.root.exists()
    with kept[0] as reader:  # as whoever asked has it open
        outcome = reader.outcome(asked[0])
        assert outcome and outcome.state == "refused" and f"{paths.root} was removed" in outcome.text
        (last,) = reader.last_events(1, kinds=("state",))
        assert last.name == "failed" and "was removed" in last.message


def test_whoever_looks_at_a_run_that_is_gone_is_told_so(tmp_path: Path, short: RunConfig) -> None:
    paths = prepare(tmp_path / "run", short)
    assert live(paths, "stage_a", {("stage_a", 1): asking(paths, "park")}) == 1
    with open_reader(paths) as reader:
        paths.root.rename(tmp_path / "away")
        with pytest.raises(Exception, match="is gone: the run's directory was moved or removed"):
            reader.status()


# --- run.db -------------------------------------------------------------------------------------------------


def remove_all(paths: RunPaths) -> None:
    for path in paths.root.glob("run.db*"):
        path.unlink()


def remove_it_alone(paths: RunPaths) -> None:
    paths.db.unlink()


def remove_its_log(paths: RunPaths) -> None:
    for suffix in ("-wal", "-shm"):
        paths.db.with_name(f"run.db{suffix}").unlink()


def put_an_old_copy_there(paths: RunPaths) -> None:
    copy = paths.root / "copy"
    shutil.copyfile(paths.db, copy)
    copy.rename(paths.db)


def put_garbage_there(paths: RunPaths) -> None:
    garbage = paths.root / "garbage"
    garbage.write_bytes(b"no database" * 1000)
    garbage.rename(paths.db)


@pytest.mark.usefixtures("looks")
@pytest.mark.parametrize(
    "harm", [remove_all, remove_it_alone, remove_its_log, put_an_old_copy_there, put_garbage_there]
)
def test_a_database_that_is_removed_or_replaced_is_written_back_whole(
    unbroken: RunPaths, tmp_path: Path, short: RunConfig, harm: Callable[[RunPaths], None]
) -> None:
    paths = prepare(tmp_path / "run", short)
    assert live(paths, "stage_a", {("stage_a", 2): lambda: harm(paths)}) == 0
    assert_same(paths, unbroken)
    assert "is written back whole" in told(paths)
    assert status_of(paths).state == "finished" and status_of(paths).attempt == 1
    assert paths.db.stat().st_mode & 0o777 == 0o600
    aside = {path.name for path in paths.root.glob("run.db.replaced-1*")}
    assert ("run.db.replaced-1" in aside) == (harm in (put_an_old_copy_there, put_garbage_there))
    assert not list(paths.root.glob("run.db.rec*")) and not list(paths.root.glob("run.db.rest*"))


@pytest.mark.usefixtures("at_once")
def test_a_database_that_nothing_happens_to_is_left_alone(tmp_path: Path, short: RunConfig) -> None:
    paths = prepare(tmp_path / "run", short)
    seen = []
    steps = {("stage_a", step): lambda: seen.append(identity(paths.db)) for step in (1, 2, 3, 4)}
    assert live(paths, "stage_a", steps) == 0
    assert len(set(seen)) == 1 and told(paths) == ""


# --- lock and checkpoints -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("at_once")
def test_a_lock_that_is_removed_is_held_anew(tmp_path: Path, short: RunConfig) -> None:
    paths = prepare(tmp_path / "run", short)
    holders = []
    steps = {
        ("stage_a", 2): paths.lock.unlink,
        ("stage_a", 3): lambda: holders.append(lock_holder(paths)),
    }
    assert live(paths, "stage_a", steps) == 0
    assert holders[0] is not None and holders[0].pid == os.getpid()
    assert "engine.lock was removed or replaced: it is held anew" in told(paths)


@pytest.mark.usefixtures("at_once")
def test_an_engine_whose_run_another_has_taken_writes_no_more(tmp_path: Path, short: RunConfig) -> None:
    paths = prepare(tmp_path / "run", short)
    taken = []

    def take() -> None:
        paths.lock.unlink()
        taken.append(os.open(paths.lock, os.O_RDWR | os.O_CREAT, 0o600))
        fcntl.flock(taken[0], fcntl.LOCK_EX | fcntl.LOCK_NB)

    assert live(paths, "stage_a", {("stage_a", 2): take}) == 1
    with open_reader(paths) as reader:
        (last,) = reader.last_events(1, kinds=("state",))
    assert last.name == "training"
    os.close(taken[0])


def test_a_resume_behind_the_checkpoint_recorded_last_says_so(
    unbroken: RunPaths, tmp_path: Path, short: RunConfig
) -> None:
    paths = prepare(tmp_path / "run", short)
    assert live(paths, "stage_a", {("stage_a", 3): asking(paths, "park")}) == 1
    shutil.rmtree(paths.checkpoints / "stage_a-000003")
    assert live(paths, "stage_a") == 0
    assert "stage_a-000003, the checkpoint recorded last" in told(paths)
    assert "going on from stage_a-000002" in told(paths)
    assert_same(paths, unbroken)


def test_a_resume_without_the_record_says_so(tmp_path: Path, short: RunConfig) -> None:
    paths = prepare(tmp_path / "run", short)
    assert live(paths, "stage_a", {("stage_a", 3): asking(paths, "park")}) == 1
    remove_all(paths)
    assert live(paths, "stage_a") == 0
    assert "run.db has no record of stage_a-000003" in told(paths)


def test_a_linked_checkpoint_is_passed_over_and_its_link_alone_removed(
    unbroken: RunPaths, tmp_path: Path, short: RunConfig
) -> None:
    """It had ended a run for good: no rotation could remove it."""
    paths, elsewhere = prepare(tmp_path / "run", short), tmp_path / "elsewhere"
    assert live(paths, "stage_a", {("stage_a", 3): asking(paths, "park")}) == 1
    for name in ("stage_a-000002", "stage_a-000003"):
        (paths.checkpoints / name).rename(elsewhere.with_name(name))
        (paths.checkpoints / name).symlink_to(elsewhere.with_name(name))
    before = {path: path.read_bytes() for path in tmp_path.glob("stage_a-*/*")}
    assert live(paths, "stage_a") == 0
    assert "stage_a-000003 is damaged (it is a link)" in told(paths)
    assert_same(paths, unbroken)
    assert {path: path.read_bytes() for path in tmp_path.glob("stage_a-*/*")} == before
    assert not [path for path in paths.checkpoints.iterdir() if path.is_symlink()]


def test_what_a_run_reads_is_told_before_it_does(tmp_path: Path, short: RunConfig) -> None:
    paths = prepare(tmp_path / "run", short)
    assert live(paths, "stage_a", {("stage_a", 1): asking(paths, "park")}) == 1
    with open_reader(paths) as reader:
        notes = [event.message for event in reader.events(kinds=("note",))]
    assert notes[0] == (
        f"reads the bundled base, curriculum {short.data.curriculum}, images {short.data.image_root}"
    )
