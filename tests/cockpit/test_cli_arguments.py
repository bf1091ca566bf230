"""Wrong usage: one line on standard error, exit code 2, no traceback."""

import argparse
import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cockpit.cli import COMMANDS, _parser, main
from cockpit.commands.common.arguments import runs_of
from engine.config import demo_config_path, freeze, load_config
from engine.runs.layout import create_run
from engine.runs.store.opening import open_writer


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CXR_RUNS", raising=False)


def call(*arguments: str) -> int:
    """The exit code, whether returned or raised by argparse."""
    try:
        return main(arguments)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], "did you mean train?"),
        (["xyzzy"], "choose from demo, train"),
        (["train"], "required: CONFIG"),
        (["train", "absent.yaml"], "absent.yaml: no such configuration"),
        (["train", "absent.yaml", "--stage", "stage_c"], "--stage 'stage_c' is not known"),
        (["train", "absent.yaml", "--epochs", "two"], "'two' is not a whole number"),
        (["status", "night"], "no run 'night'"),
        (["status", "--bogus"], "option --bogus is not known: choose from --help, "),
        (["status", "--jsn"], "did you mean --json? (see `cxr-cockpit status --help`)"),
        (["ls", "--wacht"], "did you mean --watch? (see `cxr-cockpit status --help`)"),
        (["--theem", "dark"], "option --theem is not known: did you mean --theme?"),
        (["status", "night", "--theme", "dark"], "--theme is for the app and stands before the command"),
        (["status", "night", "day"], "unrecognized arguments: day (see `cxr-cockpit status --help`)"),
        (["data", "phantom", "--ot", "x"], "did you mean --out? (see `cxr-cockpit data phantom --help`)"),
        (["data", "phantm"], "kind 'phantm' is not known: did you mean phantom?"),
        (["lst"], "did you mean list?"),
        (["status", "no/such/run"], "no run at no/such/run"),
        (["hold"], "required: RUN"),
        (["hold", "night"], "no run 'night'"),
        (["resume", "night"], "no run 'night'"),
        (["scalars", "night"], "no run 'night'"),
        (["samples", "night", "--step", "x"], "'x' is not a whole number"),
        (["samples", "night", "--step", "9" * 30], "out of range: say 0 to 1,000,000,000"),
        (["evaluate", "night"], "no run 'night'"),
        (["data"], "required: KIND"),
        (["data", "phantom"], "--out, --patients, --seed"),
        (["data", "phantom", "--out", "x", "--patients", "0", "--seed", "1"], "0 is out of range: say 1 to"),
        (["data", "build", "nowhere", "--out", "x"], "nowhere"),
        (["data", "import", "nowhere.json", "--out", "x"], "nowhere.json"),
        (["model", "shrink"], "'shrink' is not known"),
        (["demo", "--run", "a/b", "--headless"], "run name 'a/b' cannot be used"),
        (["demo", "--seed", "x"], "'x' is not a whole number"),
        (["demo", "--seed", "9" * 5000], "…' is not a whole number"),
        (["evaluate", "night", "--limit", "0"], "argument --limit: 0 is out of range: say 1 to"),
        (["evaluate", "night", "--limit", "-1"], "-1 is out of range"),
        (
            ["data", "build", "x", "--out", "y", "--stage-a-fraction", "nan"],
            "nan is out of range: say 0 to 1",
        ),
        (["--runs"], "expected one argument"),
        (["--theme"], "expected one argument"),
    ],
)
def test_one_line_and_exit_2(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("cxr-cockpit: ") and printed.err.count("\n") == 1
    assert words in printed.err


@pytest.mark.parametrize("words", ["", "x", "0", "-1", "nan", "inf", "-inf", "1e400", "9" * 30, "9" * 5000])
def test_every_number_has_a_range(words: str) -> None:
    """Nothing beyond reason gets as far as a table, a tensor or a loop."""
    numeric = [one for one in every_option() if one.type in NUMBERS or one.type not in (None, str, Path)]
    assert {one.dest for one in numeric} >= {"limit", "step", "epochs", "seed", "patients", "memory", "kills"}
    for option in numeric:
        assert option.type not in NUMBERS, option.option_strings
        with contextlib.suppress(argparse.ArgumentTypeError):
            assert abs(option.type(words)) <= 2**63, option.option_strings


NUMBERS = (int, float)


def every_option() -> Iterator[Any]:
    """The options of every command."""
    waiting = [_parser()]
    while waiting:
        parser = waiting.pop()
        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
            parser.parse_known_args(["--help"])  # a command's options are there once they are needed
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                waiting += action.choices.values()
            else:
                yield action


def test_what_a_name_holds_is_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("status", "a\x1b[2J\nb") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_no_run_directory_is_left_by_wrong_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text(
        "stages: {stage_a: {learning_rate: 1.0e-4}, stage_b: {learning_rate: 1.0e-4}}\n"
        "data: {curriculum: absent.jsonl, image_root: films}\n"
    )
    assert call("train", str(config), "--headless") == 2
    assert "absent.jsonl" in capsys.readouterr().err
    assert call("train", str(config), "--set", "lora.rnak=3", "--headless") == 2
    assert "did you mean rank?" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        *([verb] for verb in COMMANDS),
        *(["data", kind] for kind in ("phantom", "build", "import")),
        *(["model", kind] for kind in ("fetch", "inspect", "convert")),
        ["bench", "cockpit"],
    ],
    ids=" ".join,
)
def test_help_has_an_example(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*arguments, "--help") == 0
    shown = capsys.readouterr().out
    assert "example" in shown
    assert " ".join(["cxr-cockpit", *arguments]) in shown.partition("example")[2]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--version") == 0
    assert capsys.readouterr().out.startswith("cxr-cockpit ")


@pytest.mark.parametrize("place", ["before", "after", "environment"])
def test_runs_before_and_after_the_verb(
    tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = create_run(tmp_path / "elsewhere", "night")
    with open_writer(paths) as writer:
        writer.state("parked")
    where = str(tmp_path / "elsewhere")
    if place == "environment":
        monkeypatch.setenv("CXR_RUNS", where)
    arguments = {
        "before": ["--runs", where, "status", "night", "--json"],
        "after": ["status", "night", "--json", "--runs", where],
        "environment": ["status", "night", "--json"],
    }[place]
    assert call(*arguments) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "parked"


def test_app_without_a_terminal_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert call() == 2
    assert "terminal" in capsys.readouterr().err


def test_light_commands_load_nothing_heavy() -> None:
    code = (
        "import sys; from cockpit.cli import main; main(['status']);"
        "heavy = {'torch', 'transformers', 'peft', 'textual', 'pydantic', 'numpy', 'yaml', 'duckdb'};"
        "sys.exit(' '.join(heavy & set(sys.modules)) or None)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_app_loads_no_torch() -> None:
    code = (
        "import sys, cockpit.app, cockpit.cli, cockpit.commands.demo, cockpit.commands.data;"
        "sys.exit(' '.join({'torch', 'transformers', 'peft', 'accelerate'} & set(sys.modules)) or None)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


COMMAND = f"{sys.executable} -P -m cockpit.cli"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device is Linux's")
def test_no_room_for_what_is_printed_is_one_line(tmp_path: Path) -> None:
    ended = subprocess.run(f"{COMMAND} status > /dev/full", shell=True, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr == "cxr-cockpit: there is no space left for the output: No space left on device\n"


def test_a_working_directory_that_is_gone_is_one_line(tmp_path: Path) -> None:
    script = f'mkdir "{tmp_path}/gone"; cd "{tmp_path}/gone"; rmdir "{tmp_path}/gone"; {COMMAND} status'
    ended = subprocess.run(script, shell=True, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr == "cxr-cockpit: the directory you are in is gone: No such file or directory\n"


def test_without_any_output_it_works_all_the_same(tmp_path: Path) -> None:
    assert subprocess.run(f"{COMMAND} status >&- 2>&- <&-", shell=True).returncode == 0


def test_a_path_that_is_too_long_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["status", "x" * 300], ["status", "--runs", "x" * 300], ["train", "x" * 300]):
        assert call(*arguments) == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("verb", ["status", "ls", "list", "runs"])
def test_a_list_of_runs_by_any_name(tmp_path: Path, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with open_writer(create_run(tmp_path / "runs", "night")) as writer:
        writer.state("parked")
    assert call(verb) == 0
    assert "night" in capsys.readouterr().out
    assert call(verb, "night", "--json") == 0
    assert json.loads(capsys.readouterr().out)["state"] == "parked"


def test_a_misspelt_file_or_value_is_told_what_is_near(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "night.yaml").write_text("")
    with open_writer(create_run(tmp_path / "runs", "night")) as writer:
        writer.state("parked")
    for arguments, near in [
        (["train", "nihgt.yaml"], "did you mean night.yaml?"),
        (["check", "--config", "nihgt.yaml"], "did you mean night.yaml?"),
        (["samples", "night", "--purpose", "evalution"], "did you mean evaluation?"),
        (["scalars", "night", "--tag", "Train/Los"], "did you mean train/loss?"),
    ]:
        assert call(*arguments) == 2
        assert near in capsys.readouterr().err


def commands_in(text: str) -> list[list[str]]:
    """What stands between backticks and can be pasted."""
    return [shlex.split(one)[1:] for one in re.findall(r"`(cxr-cockpit [^`]*)`", text)]


@pytest.mark.parametrize("by", ["option", "environment"])
def test_what_is_told_to_be_typed_finds_the_same_run(
    tmp_path: Path, by: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a directory of runs that is not the usual one, pasted where the variable is not set."""
    runs = tmp_path / "two words"
    for name, state in (("night", "parked"), ("day", "stopped"), ("week", "finished")):
        paths = create_run(runs, name)
        with open_writer(paths) as writer:
            writer.plan([{"stage": "stage_a", "steps": 4, "epochs": 1, "bar": None, "title": ""}])
            writer.state(state)
        freeze(load_config(demo_config_path()), paths.config)
    where = ["--runs", str(runs)] if by == "option" else []
    if by == "environment":
        monkeypatch.setenv("CXR_RUNS", str(runs))
    said = []
    for arguments in (
        ["hold", "night"],
        ["park", "day"],
        ["resume", "week"],
        ["demo", "--run", "night", "--headless"],
        ["train", str(demo_config_path()), "--run", "night", "--stage", "stage_b", "--headless"],
    ):
        call(*arguments, *where)
        printed = capsys.readouterr()
        said.append(printed.out + printed.err)
    monkeypatch.delenv("CXR_RUNS", raising=False)
    for text in said:
        [*_, words] = commands_in(text)
        options = _parser().parse_args(words)
        assert runs_of(options) == runs, text
        if words[0] == "train":
            assert options.config.is_file()


def test_a_hint_without_a_run_keeps_the_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("ls", "--runs", str(tmp_path / "empty place")) == 0
    [words] = commands_in(capsys.readouterr().out)
    assert words == ["demo", "--runs", str(tmp_path / "empty place")]
