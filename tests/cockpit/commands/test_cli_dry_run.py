"""`train --dry-run` from the outside: whatever becomes of the trial, nothing of it stays."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cockpit.cli import main
from engine.config import demo_config_path

#: In the engine's place: told where to work, it leaves a file there, as a checkpoint would be.
TRIAL = '#!/bin/sh\necho "$@" > {told}\ntouch "$5/left"\n'

Dry = Callable[..., int]


@pytest.fixture
def dry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dry:
    """Run the command with a shell script as its child."""

    def run(script: str, *more: str) -> int:
        child = tmp_path / "child"
        child.write_text(TRIAL.format(told=tmp_path / "told") + script)
        child.chmod(0o700)
        monkeypatch.setattr("cockpit.commands.dry_run.sys.executable", str(child))
        config = ["--set", f"data.curriculum={tmp_path}/none.jsonl", "--set", f"data.image_root={tmp_path}"]
        return main(
            ["train", str(demo_config_path()), "--dry-run", "--runs", str(tmp_path / "runs"), *config, *more]
        )

    return run


@pytest.mark.parametrize("code", [0, 1, 2])
def test_it_ends_as_the_trial_does_and_leaves_nothing(dry: Dry, tmp_path: Path, code: int) -> None:
    assert dry(f'test -f "$5/config.yaml" || exit 9\nexit {code}') == code
    assert not (tmp_path / "runs").exists()
    words = (tmp_path / "told").read_text().split()
    assert words[:4] == ["-P", "-m", "engine", "dry-run"] and words[-2:] == ["--stage", "all"]


def test_runs_that_were_there_stay(dry: Dry, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "runs" / "other").mkdir(parents=True)
    assert dry("kill -KILL $$") == 1
    assert "ended by signal 9" in capsys.readouterr().err
    assert [one.name for one in (tmp_path / "runs").iterdir()] == ["other"]


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_a_signal_ends_both_and_leaves_nothing(dry: Dry, tmp_path: Path, name: str) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    ended = tmp_path / "ended"
    waits = f"trap 'echo well > {ended}; exit 130' TERM\nkill -{name} $PPID\nwhile :; do sleep 0.01; done"
    assert dry(waits) == 130
    assert ended.read_text() == "well\n"
    assert not (tmp_path / "runs").exists()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == handlers


def test_a_trial_that_does_not_listen_is_killed(
    dry: Dry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cockpit.commands.dry_run.PATIENCE", 0.05)
    assert dry("trap '' TERM\nkill -INT $PPID\nwhile :; do sleep 0.01; done") == 130
    assert not (tmp_path / "runs").exists()


def test_what_a_killed_trial_left_is_swept_when_its_child_has_ended_too(
    killed: Callable[..., None], tmp_path: Path
) -> None:
    child, waits, lives, runs = (tmp_path / name for name in ("child", "waits", "lives", "runs"))
    os.mkfifo(waits)
    os.mkfifo(lives)
    child.write_text(f'#!/bin/sh\ntouch "$5/left"\necho > {lives}\nread line < {waits}\n')
    child.chmod(0o700)
    script = (
        "import subprocess, threading; from cockpit.cli import main; from cockpit.commands import dry_run\n"
        "threading.Thread(target=lambda: here(open(sys.argv[2]).read()), daemon=True).start()\n"
        "dry_run.sys.executable = sys.argv[1]; main(sys.argv[3:])"
    )
    config = [f"--set=data.curriculum={tmp_path}/none.jsonl", f"--set=data.image_root={tmp_path}"]
    train = ["train", demo_config_path(), "--dry-run", "--runs", runs, *config]
    killed(script, child, lives, *train)
    with waits.open("w"):
        assert main(["status", "--runs", str(runs)]) == 0
        (left,) = runs.rglob("left")
    with (left.parent / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # when the child has ended
    assert main(["status", "--runs", str(runs)]) == 0
    assert list(runs.iterdir()) == []


def test_a_base_that_is_not_there_is_one_line(
    dry: Dry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dry("exit 0", "--set", f"model.base={tmp_path}/none") == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "no directory" in told
    assert not (tmp_path / "told").exists()


def test_the_demo_is_tried_and_the_whole_run_foretold(tmp_path: Path) -> None:
    """Really, as a process: three steps of each stage on a few phantoms, and hours of all of them."""
    changes = {
        "data.phantom.size": 64,
        "data.phantom.patients": 400,
        "data.curriculum": tmp_path / "none.jsonl",
        "data.image_root": tmp_path,
        "model.threads": 1,
        "evaluation.batch_size": 1,
        "evaluation.max_new_tokens": 2,
    }
    command = [sys.executable, "-P", "-m", "cockpit.cli", "train", str(demo_config_path()), "--dry-run"]
    for key, value in changes.items():
        command += ["--set", f"{key}={value}"]
    tried = subprocess.run(
        [*command, "--runs", str(tmp_path / "runs")], capture_output=True, text=True, check=False
    )
    assert tried.returncode == 0, tried.stderr
    assert tried.stderr.count(" of 3: ") == 6 and "Traceback" not in tried.stderr
    whole = next(line for line in tried.stdout.splitlines() if "the whole run" in line)
    assert " min" in whole or " h " in whole  # of the 400 patients, not of the few that were tried: seconds
    assert "peak memory" in tried.stdout and "nothing was left behind" in tried.stdout
    assert list(tmp_path.iterdir()) == []
