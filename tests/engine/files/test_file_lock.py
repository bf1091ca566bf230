"""The kernel's lock on an open file: who has it, and for how long somebody else waits."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.files.file_lock import lock_within, try_lock


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Two descriptors of one file, opened each by itself, as two processes have them."""
    opened = tuple(os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT) for _ in range(2))
    yield opened[0], opened[1]
    for descriptor in opened:
        os.close(descriptor)


def test_one_has_it_alone(two: tuple[int, int]) -> None:
    assert try_lock(two[0])
    assert not try_lock(two[1]) and not try_lock(two[1], shared=True) and not lock_within(two[1], 0.05)


def test_those_who_look_share_it(two: tuple[int, int]) -> None:
    assert try_lock(two[0], shared=True) and try_lock(two[1], shared=True)
    assert not try_lock(two[0])


def test_it_is_waited_for(two: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    assert try_lock(two[0])
    monkeypatch.setattr("engine.files.file_lock.time.sleep", lambda _: os.dup2(two[1], two[0]))  # lets it go
    assert lock_within(two[1], 60)
