"""Deleted runs: where they lie, for how long, and what the emptying never touches."""

import os
import stat
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.files.removal import remove
from engine.runs import trash
from engine.runs.layout import RunPaths, create_run, list_runs
from engine.runs.lock import EngineLock
from engine.runs.process import launch
from engine.runs.store.opening import open_reader
from engine.runs.trash import DAYS, TRASH, empty_trash, to_trash

NOW = 1_800_000_000.0
DAY = 86400


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    paths = create_run(tmp_path / "runs", "night")
    paths.config.write_text("seed: 0\n")
    return paths


def test_a_deleted_run_lies_hidden_for_its_owner_alone(run: RunPaths) -> None:
    place = to_trash(run, 0.0, NOW)
    assert place.parent == run.root.parent / TRASH and place.name.startswith("night.")
    assert (place / "config.yaml").read_text() == "seed: 0\n"
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert not run.root.exists() and list_runs(run.root.parent) == []


def test_two_of_one_name_in_one_second_both_stay(run: RunPaths) -> None:
    first = to_trash(run, 0.0, NOW)
    create_run(run.root.parent, "night").config.write_text("seed: 1\n")
    second = to_trash(run, 0.0, NOW)
    assert first != second
    assert [(one / "config.yaml").read_text() for one in (first, second)] == ["seed: 0\n", "seed: 1\n"]
    assert empty_trash(run.root.parent, NOW + DAYS * DAY) == [] and list(first.parent.iterdir()) == []


def test_it_is_emptied_after_its_days_and_not_before(run: RunPaths) -> None:
    place = to_trash(run, 0.0, NOW)
    (place.parent / "kept by somebody").mkdir()
    assert empty_trash(run.root.parent, NOW + DAYS * DAY - 1) == [] and place.is_dir()
    assert empty_trash(run.root.parent, NOW + DAYS * DAY) == []
    assert [one.name for one in place.parent.iterdir()] == ["kept by somebody"]


def test_links_are_moved_and_taken_away_and_never_followed(run: RunPaths, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    os.rename(run.root, elsewhere)
    run.root.symlink_to(elsewhere)
    (elsewhere / "more").symlink_to(tmp_path)
    place = to_trash(run, 0.0, NOW)
    assert place.is_symlink() and not run.root.is_symlink()
    assert empty_trash(run.root.parent, NOW + DAYS * DAY) == []
    assert not place.is_symlink() and (elsewhere / "config.yaml").exists()


def test_a_linked_trash_is_neither_filled_nor_emptied(run: RunPaths, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (victim / "x.20200101T000000Z").mkdir(parents=True)
    (run.root.parent / TRASH).symlink_to(victim)
    with pytest.raises(UserError, match="is no directory"):
        to_trash(run, 0.0, NOW)
    assert empty_trash(run.root.parent, NOW) == []
    assert run.is_run() and [one.name for one in victim.iterdir()] == ["x.20200101T000000Z"]


def test_a_run_with_an_engine_stays(run: RunPaths) -> None:
    with EngineLock.take(run), pytest.raises(UserError, match="in use"):
        to_trash(run, 0.0, NOW)
    assert run.is_run()


def test_the_next_start_of_an_engine_empties_it_and_tells_what_stays(
    run: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = to_trash(create_run(run.root.parent, "old"), 0.0, NOW - 30 * 365 * DAY)
    stays = to_trash(create_run(run.root.parent, "older"), 0.0, NOW - 30 * 365 * DAY)

    def refuse(entry: Path) -> None:
        if entry == stays:
            raise PermissionError(13, "Permission denied", str(entry))
        remove(entry)

    monkeypatch.setattr(trash, "remove", refuse)
    launch(run, ["true"])
    assert not gone.exists() and stays.exists()
    with open_reader(run) as reader:
        (alert,) = reader.last_events(5, ("alert",))
    assert "older" in alert.message and "Permission denied" in alert.message
