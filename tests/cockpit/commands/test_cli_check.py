"""`check`: exit codes, JSON, one line for wrong input, and nothing changed without a yes."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cockpit.cli import main
from engine.setup_check import check as check_module
from engine.setup_check.finding import Finding
from engine.setup_check.fix import snapshot
from engine.setup_check.fix.plan import Change, Plan
from engine.setup_check.probe.device_trial import Part
from engine.setup_check.probe.facts import Facts
from engine.setup_check.probe.target import Target, find_target

KEYS = ["id", "group", "status", "title", "found", "expected", "why", "consequences", "fix", "source"]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing in it."""
    root = tmp_path_factory.mktemp("bare") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root)], check=True)
    return root / "bin" / "python"


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("CXR_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))  # nothing is offered there
    monkeypatch.delenv("PYTHONPATH", raising=False)


def call(*arguments: str) -> int:
    try:
        return main(["check", *arguments])
    except SystemExit as ended:
        return int(ended.code or 0)


def test_json_of_an_empty_environment(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--python", str(bare), "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert list(document) == ["python", "platform", "ok", "findings"]
    assert document["python"] == str(bare) and document["ok"] is False
    assert all(list(one) == KEYS for one in document["findings"])
    assert {one["status"] for one in document["findings"]} <= {"ok", "info", "warn", "fail"}
    fails = {one["id"] for one in document["findings"] if one["status"] == "fail"}
    assert fails == {"empty-environment"}
    (empty,) = [one for one in document["findings"] if one["id"] == "empty-environment"]
    (command,) = empty["fix"]
    assert command[-8:-7] == ["install"] and "transformers==5.23.0" in command
    for one in document["findings"]:
        for command in one["fix"]:
            assert Path(command[0]).is_absolute()
    statuses = [one["status"] for one in document["findings"]]
    assert statuses == sorted(statuses, key=["fail", "warn", "info", "ok"].index)


def test_the_first_finding_comes_at_once(bare: Path) -> None:
    stream = check_module.Check(find_target(str(bare))).run()
    first = next(stream)
    stream.close()
    assert first.id == "interpreter"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--python", "/nowhere/python"], "there is no such file"),
        (["--python", "no-such-python"], "no such command on the PATH"),
        (["--python", "/bin/true"], "this is no Python interpreter"),
        (["--python", "/etc/passwd"], "cannot be run"),
        (["--python", "/tmp"], "this is a folder"),
        (["--yes"], "--fix or --undo"),
        (["--mend", "--undo"], "not allowed with"),
        (["--device", "--python", "/usr/bin/env"], "no Python interpreter"),
        (["--device", "--fix"], "fix first"),
    ],
)
def test_one_line_and_exit_2(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and words in printed.err


def test_an_environment_whose_python_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/nowhere/bin/python3.11")
    assert call("--python", str(python)) == 2
    assert "points to /nowhere/bin/python3.11, which is gone" in capsys.readouterr().err


def test_what_only_pretends_to_be_a_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho cxr 3 11 /tmp\n")
    python.chmod(0o755)
    assert call("--python", str(python)) == 2
    assert "no Python interpreter" in capsys.readouterr().err


def test_a_folder_is_answered_with_its_interpreter(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--python", str(bare.parent.parent)) == 2
    assert f"did you mean {bare}?" in capsys.readouterr().err


def test_nothing_to_undo(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--python", str(bare), "--undo", "--yes") == 2
    assert "no fix to undo" in capsys.readouterr().err


class FakeCheck:
    """A check whose findings are given; the second one is well."""

    worse = False
    made = 0

    def __init__(self, target: Target, config: Any = None, runs: Any = None, both: bool = False) -> None:
        self.target, self.config, self.runs = target, config, runs
        type(self).made += 1
        self.first = self.made == 1
        self.facts = Facts(start={"prefix": "/env"}, folder={})
        command = (sys.executable, "-c", "print('installed \x1b[2J')")
        self.plan = Plan(
            (command,), (Change("peft", "0.17.1", "0.21.2"),), (), frozenset({"one"}), "a dry run"
        )
        well = Finding("one", "packages", "ok", "fine")
        bad = Finding("one", "packages", "fail", "peft is \x1b[31mold", why="because", fix=(command,))
        other = Finding("two", "imports", "fail", "another thing")
        self.findings = [bad] if self.first else [well, *([other] if self.worse else [])]

    def run(self) -> Iterator[Finding]:
        yield from self.findings

    @property
    def ok(self) -> bool:
        return not self.fails

    @property
    def fails(self) -> set[str]:
        return {one.id for one in self.findings if one.status == "fail"}

    def worse_than(self, before: "FakeCheck") -> list[str]:
        return sorted(self.fails - before.fails)

    def as_json(self) -> dict[str, Any]:
        return {"ok": self.ok}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeCheck]:
    made = type("Made", (FakeCheck,), {"made": 0})
    monkeypatch.setattr(check_module, "Check", made)
    return made


def test_text_shows_what_fixes_and_obeys_nothing(
    fake: type[FakeCheck], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call() == 1
    shown = capsys.readouterr().out
    assert "✖ fail" in shown and "because" in shown and "\x1b" not in shown
    assert shlex.quote(sys.executable) in shown and "1 fail" in shown


def test_nothing_is_changed_without_a_yes(fake: type[FakeCheck], capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--fix") == 2
    printed = capsys.readouterr()
    assert "peft 0.17.1 → 0.21.2" in printed.out and "a dry run" in printed.out
    assert "without a yes" in printed.err
    assert not list(snapshot.snapshots_folder("/env").glob("*"))


def test_fix_checks_again_and_says_how_to_undo(
    fake: type[FakeCheck], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--fix", "--yes") == 0
    shown = capsys.readouterr().out
    assert "installed" in shown and "\x1b" not in shown and "--undo" in shown and "worse" not in shown


def test_getting_worse_is_told(fake: type[FakeCheck], capsys: pytest.CaptureFixture[str]) -> None:
    fake.worse = True
    assert call("--fix", "--yes") == 1
    assert "worse than before: two" in capsys.readouterr().out


def test_json_stays_json_while_mending(fake: type[FakeCheck], capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--mend", "--yes", "--json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"ok": True}
    assert "installed" in printed.err


def test_another_python_is_not_tried(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--device", "--python", str(bare)) == 2
    assert "leave --python out" in capsys.readouterr().err


def test_the_device_is_tried_when_asked(
    fake: type[FakeCheck], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(check: Any) -> Iterator[Finding]:
        assert check.trial
        check.trying(Part("float32: single operators", 1, 9))
        yield Finding("device-float32-kernels", "device", "ok", "float32 operators: as in NumPy")

    fake.first = False
    monkeypatch.setattr(fake, "run", run)
    call("--device")
    printed = capsys.readouterr()
    assert "float32 operators: as in NumPy" in printed.out
    assert "1/9  float32: single operators" in printed.err


def test_a_damaged_environment_of_its_own_is_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import sys; sys.modules['pydantic'] = None\n"
        "from cockpit.cli import main\n"
        "sys.exit(main(['check', '--json']))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1, ended.stderr
    (finding,) = json.loads(ended.stdout)["findings"]
    assert list(finding) == KEYS and "pydantic" in finding["title"]
