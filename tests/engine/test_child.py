"""Children that never answer, or do not want to end."""

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from cockpit.commands import service
from engine.child import end, lines
from engine.errors import UserError
from engine.setup_check.probe import target
from engine.setup_check.probe.target import Target, ask, prefix_of

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('up', flush=True); time.sleep(600)"
)


def mute(path: Path) -> str:
    """A program that says nothing and does not end when it is asked to."""
    path.write_text(f"#!{sys.executable}\n{STUBBORN.replace('print', '(lambda *a, **b: 0)')}\n")
    path.chmod(0o700)
    return str(path)


def test_one_that_does_not_end_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stdout.readline() == "up\n"
        end(child, patience=0.2)
        assert child.returncode == -9


def test_silence_has_an_end() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert list(lines(child.stdout, 3.0)) == ["up\n", None]
        end(child, patience=0.2)


def test_an_interpreter_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "SILENCE", 0.5)
    monkeypatch.setattr(target, "PREFIX_SECONDS", 0.5)
    monkeypatch.setattr(target, "end", partial(end, patience=0.2))
    silent = Target(mute(tmp_path / "python"), (3, 11))
    begun = time.monotonic()
    with pytest.raises(UserError, match="no answer within"):
        list(ask(silent, seconds=0.1))
    with pytest.raises(UserError, match="does not answer"):
        prefix_of(silent)
    assert time.monotonic() - begun < 30


def test_a_system_that_never_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(service, "COMMAND_SECONDS", 0.5)
    assert not service._carry_out(((mute(tmp_path / "systemctl"), "enable"),))
    assert "no answer within" in capsys.readouterr().err
