"""What a shell is offered at the tab key, and what each shell makes of it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cockpit.cli import COMMANDS, _parser, main
from cockpit.commands.completion_candidates import candidates
from engine.runs.layout import create_run


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with two runs, one of them with a checkpoint, and a third elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CXR_RUNS", raising=False)
    for place, name in (("runs", "night"), ("runs", "night-2"), ("elsewhere", "far")):
        create_run(tmp_path / place, name).config.touch()
    (tmp_path / "runs" / "night" / "checkpoints" / "stage_a-000400").mkdir()
    (tmp_path / "runs" / "$(touch x)").mkdir()
    (tmp_path / "runs" / "$(touch x)" / "config.yaml").touch()
    return tmp_path


def offered(*words: str) -> list[str]:
    return [word for word, _ in candidates(_parser(), words).words]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["sta"], ["status"]),
        (["l"], ["ls", "list"]),
        (["--th"], ["--theme"]),
        (["--theme", "dar"], ["dark"]),
        (["--images=ki"], ["--images=kitty"]),
        (["status", "--"], ["--help", "--runs", "--json", "--watch"]),
        (["status", "--json", "--j"], []),
        (["status", ""], ["night", "night-2"]),
        (["status", "--runs", "elsewhere", ""], ["far"]),
        (["--runs=elsewhere", "ls", ""], ["far"]),
        (["status", "night", ""], ["--help", "--runs", "--json", "--watch"]),
        (["evaluate", "night", "--checkpoint", ""], ["stage_a-000400"]),
        (["evaluate", "absent", "--checkpoint", ""], []),
        (["report", "film.png", "--run", "night", "--checkpoint", "st"], ["stage_a-000400"]),
        (["train", "--from", "night:"], ["night:stage_a-000400"]),
        (["train", "c.yaml", "--stage", "stage_"], ["stage_a", "stage_b"]),
        (["train", "c.yaml", "--set", "lora.ra"], ["lora.rank="]),
        (["train", "c.yaml", "--set", "lora.rank=2", "--se"], ["--set"]),
        (["scalars", "night", "--tag", "val/l"], ["val/loss"]),
        (["samples", "night", "--purpose", "ca"], ["case"]),
        (["data", "ph"], ["phantom"]),
        (["data", "phantom", "--si"], ["--size"]),
        (["bench", "sto"], ["store"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["completion", "--c"], []),
        (
            ["nonsense", "--"],
            ["--help", "--version", "--runs", "--images", "--ascii", "--no-mouse", "--theme"],
        ),
        (["status", "--", "ni"], []),
        ([], list(COMMANDS)),
    ],
)
def test_what_may_stand_next(words: list[str], expected: list[str]) -> None:
    assert offered(*words) == expected


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["train", ""], "yaml"),
        (["check", "--config", ""], "yaml"),
        (["data", "phantom", "--out", ""], "directories"),
        (["--runs", ""], "directories"),
        (["report", "a.png", ""], "files"),
        (["data", "import", "x.json", "--map", ""], "yaml"),
    ],
)
def test_what_the_shell_completes_itself(words: list[str], kind: str) -> None:
    assert candidates(_parser(), words).kind == kind


def test_every_verb_can_be_completed() -> None:
    for verb in COMMANDS:
        assert "--help" in offered(verb, "--")


def test_it_answers_in_lines_that_shells_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "--candidates=status\x1f--js"]) == 0
    assert capsys.readouterr().out == "words\n--json\tas JSON: an object, or a list without RUN\n"


def test_tab_waits_for_nothing_heavy() -> None:
    code = (
        "import sys; from cockpit.cli import main; main(['completion', '--candidates=evaluate\\x1fni']);"
        "heavy = {'torch', 'transformers', 'peft', 'textual', 'pydantic', 'numpy', 'yaml', 'duckdb'};"
        "sys.exit(' '.join(heavy & set(sys.modules)) or None)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def run_shell(shell: str, script: str, here: Path) -> str:
    """What a real shell prints that has read its completion; the command is the one of this environment."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    command = here / "bin" / "cxr-cockpit"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m cockpit.cli "$@"\n')
    command.chmod(0o700)
    plain = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    environment = {"PATH": f"{command.parent}:/usr/bin:/bin", "HOME": str(here)}
    ended = subprocess.run(
        [shell, *plain, "-c", script], capture_output=True, text=True, env=environment, cwd=here, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cxr-cockpit sta", "status"),
        ("cxr-cockpit status ", "night night-2"),
        ("cxr-cockpit status --", "--help --runs --json --watch"),
        ("cxr-cockpit train --from night:st", "stage_a-000400"),  # readline replaces what is behind the colon
        ("cxr-cockpit train x --stage=stage_", "stage_a stage_b"),
        ("cxr-cockpit train con", "confs conf.yaml"),
    ],
)
def test_bash(here: Path, line: str, expected: str) -> None:
    (here / "confs").mkdir()
    (here / "conf.yaml").touch()
    (here / "conf.txt").touch()
    script = (
        f"source <(cxr-cockpit completion bash); COMP_LINE='{line}'; COMP_POINT={len(line)};"
        '_cxr_cockpit; echo "${COMPREPLY[*]}"'
    )
    assert sorted(run_shell("bash", script, here).split()) == sorted(expected.split())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cxr-cockpit sta", ["status\tsay how a run is, or all runs"]),
        ("cxr-cockpit evaluate night --checkpoint ", ["stage_a-000400"]),
        ("cxr-cockpit train --stage=stage_", ["--stage=stage_a", "--stage=stage_b"]),
    ],
)
def test_fish(here: Path, line: str, expected: list[str]) -> None:
    script = f"cxr-cockpit completion fish | source; complete -C '{line}'"
    assert run_shell("fish", script, here).splitlines() == expected


def test_zsh_reads_its_script(here: Path) -> None:
    script = "autoload -Uz compinit; compinit -u -D; source <(cxr-cockpit completion zsh); echo $_comps[cxr-cockpit]"
    assert run_shell("zsh", script, here).strip() == "_cxr-cockpit"


def test_a_run_whose_name_a_shell_would_obey_is_not_offered(here: Path) -> None:
    assert (here / "runs" / "$(touch x)").is_dir()
    assert offered("status", "$") == []
