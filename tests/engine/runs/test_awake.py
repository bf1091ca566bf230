"""No sleep under an engine, and the display never kept on."""

import os
import select
import signal
import sys
from pathlib import Path

import pytest

from engine.runs.awake import inhibitor, kept_awake


def program(place: Path, name: str, text: str) -> None:
    place.mkdir(exist_ok=True)
    (place / name).write_text(f"#!/bin/sh\n{text}\n")
    (place / name).chmod(0o700)


def test_the_system_s_own_program_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert inhibitor(7, "linux") is None and inhibitor(7, "darwin") is None and inhibitor(7, "other") is None
    for name in ("caffeinate", "systemd-inhibit"):
        program(tmp_path, name, "")
    assert inhibitor(7, "darwin") == [f"{tmp_path}/caffeinate", "-i", "-w", "7"]
    linux = inhibitor(7, "linux")
    assert linux is not None and "--what=sleep" in linux and not any("idle" in word for word in linux)


@pytest.mark.skipif(sys.platform != "linux", reason="the pipe is Linux's way")
@pytest.mark.parametrize("killed", [True, False])
def test_it_ends_with_the_engine_however_that_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    """The stand-in tells by a named pipe that it lives, and by its end that it does not."""
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    program(tmp_path / "bin", "systemd-inhibit", f'exec 3>"{fifo}"; echo ready >&3; cat')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    may_end, go = os.pipe()
    child = os.fork()
    if child == 0:
        with kept_awake():
            os.read(may_end, 1)
            os.kill(os.getpid(), signal.SIGKILL if killed else signal.SIGCONT)
        os._exit(0)
    with fifo.open() as alive:
        assert alive.readline() == "ready\n"
        os.write(go, b"1")
        ended = select.poll()
        ended.register(alive, 0)  # nothing but the hang-up: every writer is gone
        assert ended.poll(30_000)
    os.waitpid(child, 0)
    os.close(may_end)
    os.close(go)


def test_without_a_program_nothing_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with kept_awake():
        pass


def test_a_program_that_cannot_start_costs_no_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("caffeinate", "systemd-inhibit"):
        (tmp_path / name).write_text("#!/nowhere/sh\n")
        (tmp_path / name).chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    with kept_awake():
        pass
    assert inhibitor(7) is None or "may go to sleep" in caplog.text
