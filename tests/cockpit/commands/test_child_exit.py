"""A child that was killed says nothing itself: every command that has one says it for it, and sweeps after it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cockpit.cli import main
from engine.config import demo_config_path
from engine.runs.layout import create_run
from engine.runs.store.opening import open_writer


@pytest.fixture
def dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put something in the engine's place that a signal ends."""

    def put(name: str) -> None:
        child = tmp_path / "child"
        child.write_text(f"#!/bin/sh\nkill -{name} $$\n")
        child.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(child))

    return put


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "night"],
        ["evaluate", "night", "--json"],
        ["export", "night", "--to", "{0}/out"],
        ["report", "film.png", "--run", "night"],
        ["plan", str(demo_config_path())],
        ["model", "convert", "{0}", "--to", "{0}/out"],
        ["model", "inspect", "{0}"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_killed_child_is_one_line(
    dies: Callable[[str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    monkeypatch.setenv("CXR_RUNS", str(tmp_path / "runs"))
    with open_writer(create_run(tmp_path / "runs", "night")) as writer:
        writer.open_attempt()
        writer.state("finished")
    for name, number in (("KILL", 9), ("SEGV", 11)):
        dies(name)
        assert main([word.format(tmp_path) for word in command]) == 1
        said = capsys.readouterr()
        assert said.out == "" and said.err.count("\n") == 1
        assert f"ended by signal {number} (SIG{name})" in said.err
        assert ("memory" in said.err) == (name == "KILL")


#: What an engine would do that is killed while it writes the new directory.
MAKES = """
import os, signal, sys
from pathlib import Path
from engine.files.new_directory import new_directory
with new_directory(Path(sys.argv[1]), 0) as out:
    (out / "model.safetensors").write_text("weights")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_export_left_is_swept_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script, child, to = tmp_path / "makes.py", tmp_path / "child", tmp_path / "to"
    to.mkdir()
    script.write_text(MAKES)
    child.write_text(f"#!/bin/sh\nexec {sys.executable} {script} {to / 'out'}\n")
    child.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(child))
    assert main(["model", "convert", str(tmp_path), "--to", str(to / "out")]) == 1
    assert "SIGKILL" in capsys.readouterr().err
    assert list(to.iterdir()) == []
