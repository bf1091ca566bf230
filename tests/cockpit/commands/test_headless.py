"""Staying with an engine without the app."""

from pathlib import Path

import pytest

from cockpit.commands.common.headless import Interrupts, follow
from engine.errors import UserError
from engine.runs.layout import create_run
from engine.runs.lock import EngineLock
from engine.runs.store.opening import open_writer


def test_a_lock_that_somebody_removed_is_no_crash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = create_run(tmp_path, "night")
    with EngineLock.take(paths) as lock, open_writer(paths) as writer:
        writer.open_attempt()
        writer.state("training")
        paths.lock.unlink()

        class Engine(Interrupts):
            def wait(self, seconds: float) -> None:
                """While the watcher waits, the engine looks after its lock, and then parks."""
                lock.renew()
                writer.state("parked")
                lock.close()

        assert follow(paths, Engine()) == 1
    said = capsys.readouterr().out
    assert "night parked" in said and "crashed" not in said


def test_a_run_that_is_moved_is_followed_and_one_that_is_gone_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = create_run(tmp_path, "night")
    with EngineLock.take(paths), open_writer(paths) as writer:
        writer.open_attempt()
        writer.state("training")

        class Mover(Interrupts):
            def wait(self, seconds: float) -> None:
                if paths.root.exists():
                    paths.root.rename(tmp_path / "moved")
                    return
                writer.event("alert", "still told")
                for path in sorted((tmp_path / "moved").rglob("*"), reverse=True):
                    path.rmdir() if path.is_dir() else path.unlink()
                (tmp_path / "moved").rmdir()

        with pytest.raises(UserError, match=r"moved is gone: the run's directory was moved or removed"):
            follow(paths, Mover())
