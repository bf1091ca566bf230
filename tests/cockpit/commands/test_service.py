"""After a reboot: what was interrupted goes on, what a person put to rest stays so."""

import json
import os
import plistlib
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cockpit.cli import main
from cockpit.commands import service
from cockpit.commands.service import describe, was_interrupted
from engine.errors import UserError
from engine.runs.layout import RunPaths, create_run
from engine.runs.store.opening import open_writer, status_of
from engine.words.printable import message


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CXR_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path / "runs"


def run_in(runs: Path, name: str, *states: str, **data: object) -> RunPaths:
    paths = create_run(runs, name)
    with open_writer(paths) as writer:
        writer.open_attempt()
        for state in states[:-1]:
            writer.state(state)
        writer.state(states[-1], "", **data)
    return paths


@pytest.mark.parametrize(
    ("states", "by_signal", "goes_on"),
    [
        (("training",), None, True),
        (("training", "evaluating"), None, True),
        (("training", "parked"), True, True),
        (("training", "parked"), False, False),
        (("training", "stopped"), False, False),
        (("training", "holding"), None, False),
        (("training", "finished"), None, False),
        (("training", "failed"), None, False),
    ],
)
def test_what_was_interrupted(
    runs: Path, states: tuple[str, ...], by_signal: bool | None, goes_on: bool
) -> None:
    data = {} if by_signal is None else {"by_signal": by_signal}
    assert was_interrupted(status_of(run_in(runs, "x", *states, **data))) is goes_on


def test_the_run_interrupted_last_goes_on(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, (name, states) in enumerate(
        [("old", ("training",)), ("new", ("training",)), ("rested", ("training", "parked"))]
    ):
        paths = run_in(runs, name, *states)
        for file in paths.root.iterdir():
            os.utime(file, (1000 + number, 1000 + number))
    finishes = (
        "import sys; from pathlib import Path; from engine.runs.layout import RunPaths\n"
        "from engine.runs.lock import EngineLock; from engine.runs.store.opening import open_writer\n"
        "paths = RunPaths(Path(sys.argv[1])); lock = EngineLock.acquire(paths)\n"
        "with open_writer(paths) as writer: writer.state('finished')"
    )
    monkeypatch.setattr(
        service, "engine_argv", lambda paths: [sys.executable, "-c", finishes, str(paths.root)]
    )
    assert main(["service", "--continue"]) == 0
    assert "going on with new" in capsys.readouterr().out
    assert status_of(RunPaths(runs / "old")).state == "crashed"
    assert main(["service", "--continue", "rested"]) == 0
    assert capsys.readouterr().out == "nothing was interrupted\n"


def test_a_systemd_unit_calls_this_very_interpreter(runs: Path, tmp_path: Path) -> None:
    odd = tmp_path / 'runs of "mine" 100%'
    made = describe("systemd", odd, "night-1", tmp_path)
    assert made.path == tmp_path / ".config/systemd/user/cxr-cockpit-night-1.service"
    (line,) = [line for line in made.text.splitlines() if line.startswith("ExecStart=")]
    words = shlex.split(line.removeprefix("ExecStart="))
    assert words == [
        sys.executable, "-P", "-m", "cockpit.cli", "service", "--continue",
        "--runs", str(odd).replace("%", "%%"), "night-1",
    ]  # fmt: skip
    assert "KillMode=process" in made.text and "WantedBy=default.target" in made.text


def test_a_launchd_agent_leaves_the_engine_alone(runs: Path, tmp_path: Path) -> None:
    made = describe("launchd", runs, None, tmp_path)
    content = plistlib.loads(made.text.encode())
    assert made.path == tmp_path / "Library/LaunchAgents/cxr-cockpit.plist"
    assert content["RunAtLoad"] and content["AbandonProcessGroup"] and content["ProcessType"] == "Interactive"
    assert content["ProgramArguments"][-2:] == ["--runs", str(runs)] and content["Umask"] == 0o077
    assert content["LimitLoadToSessionType"] == ["Aqua", "Background"]


@pytest.mark.parametrize("works", [True, False])
def test_install_and_remove(
    runs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    works: bool,
) -> None:
    told = tmp_path / "told"
    place = tmp_path / "bin"
    place.mkdir()
    (place / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {told}\nexit {0 if works else 1}\n')
    (place / "systemctl").chmod(0o700)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    run_in(runs, "night", "training")
    unit = tmp_path / "home/.config/systemd/user/cxr-cockpit-night.service"
    assert main(["service", "night", "--install", "--kind", "systemd"]) == (0 if works else 1)
    assert unit.stat().st_mode & 0o077 == 0
    assert told.read_text().splitlines()[0] == "--user daemon-reload"
    if not works:
        assert "did not work" in capsys.readouterr().err
    assert main(["service", "night", "--remove", "--kind", "systemd"]) == (0 if works else 1)
    assert not unit.exists()
    assert main(["service", "night", "--remove", "--kind", "systemd"]) == 2


@pytest.mark.parametrize("kind", ["systemd", "launchd"])
@pytest.mark.parametrize("odd", ["\n", "\r", "\x1b", "\x00", "\x85", "\u2028", "\udcff"])
@pytest.mark.parametrize("place", ["runs", "name", "home", "config", "python"])
def test_no_name_or_path_adds_a_line_to_a_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, odd: str, place: str
) -> None:
    bad = f"x{odd}ExecStartPre=touch owned"
    runs, name, home = tmp_path / "runs", "night", tmp_path / "home"
    if place == "config" and odd in "\x00\udcff":
        pytest.skip("no variable can hold it")
    if place == "runs":
        runs = tmp_path / bad
    elif place == "name":
        name = bad
    elif place == "home":
        home = tmp_path / bad
    elif place == "config":
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / bad))
    else:
        monkeypatch.setattr(service.sys, "executable", f"/opt/{bad}/python")
    with pytest.raises(UserError, match="no service may") as refused:
        describe(kind, runs, name, home)
    assert message(str(refused.value)) == str(refused.value)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_systemd_reads_the_words_that_were_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By systemd itself: what it would run is the program of that very path."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    place = tmp_path / "a $HOME $$ %h ; c"
    place.mkdir()
    (place / "python").write_text("#!/bin/sh\n")
    (place / "python").chmod(0o700)
    monkeypatch.setattr(service.sys, "executable", str(place / "python"))
    made = describe("systemd", place, "night", tmp_path)
    unit = tmp_path / made.path.name
    unit.write_text(made.text)
    checked = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(unit)], capture_output=True, text=True
    )
    assert (checked.returncode, unit.name in checked.stderr) == (0, False), checked.stderr


@pytest.mark.parametrize("odd", ["'", '"', "\\"])
def test_a_program_that_systemd_would_not_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    monkeypatch.setattr(service.sys, "executable", f"/opt/{odd}/python")
    with pytest.raises(UserError, match="systemd runs no program"):
        describe("systemd", tmp_path, "night", tmp_path)
    assert describe("launchd", tmp_path, "night", tmp_path).text


def test_no_program_of_the_working_directory_runs(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "hostile"
    place.mkdir()
    for name in ("systemctl", "sh", "launchctl"):
        (place / name).write_text(f"#!/bin/sh\n: > {tmp_path / 'ran'}\n")
        (place / name).chmod(0o700)
    monkeypatch.chdir(place)
    monkeypatch.setenv("PATH", f"{os.pathsep}.{os.pathsep}{tmp_path / 'none'}")
    assert main(["service", "--install", "--kind", "systemd"]) == 1
    assert "did not work" in capsys.readouterr().err and not (tmp_path / "ran").exists()


def test_printing_changes_nothing(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("systemd", "launchd"):
        assert main(["service", "--kind", kind]) == 0
        assert capsys.readouterr().out.startswith(f"# {tmp_path / 'home'}")
    assert not (tmp_path / "home").exists()
    assert main(["service", "nowhere"]) == 2
    assert json.dumps(capsys.readouterr().err).count("\\n") == 1


@pytest.mark.parametrize("kind", ["systemd", "launchd"])
def test_a_run_given_by_its_path_is_found_again(
    runs: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = run_in(tmp_path / "else where", "x", "training", "parked")
    paths.root.rename(paths.root.with_name("bad night"))
    assert main(["service", str(paths.root.with_name("bad night")), "--kind", kind]) == 0
    first, _, text = capsys.readouterr().out.partition("\n")
    assert "cxr-cockpit-bad-night." in first
    if kind == "systemd":
        (line,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
        words = shlex.split(line.removeprefix("ExecStart="))
    else:
        words = plistlib.loads(text.encode())["ProgramArguments"]
    assert main(words[words.index("service") :]) == 0
    assert capsys.readouterr().out == "nothing was interrupted\n"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    made = describe("systemd", tmp_path / "runs of 100%", "night-1", tmp_path)
    unit = tmp_path / made.path.name
    unit.write_text(made.text)
    checked = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(unit)], capture_output=True, text=True
    )
    assert (checked.returncode, unit.name in checked.stderr) == (0, False), checked.stderr
