"""Reports that hold what a terminal would obey are printed as text, and as JSON they come back as they were."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cockpit.cli import main
from engine.runs.layout import create_run
from engine.runs.store.opening import open_writer
from engine.runs.store.rows import GeneratedSample
from engine.words.printable import one_line, printable

HOSTILE = [
    "\x1b]0;owned\x07\x1b[2J", "[bold red]markup[/] [@click=app.quit]x[/]", "NUL \0 in it", "half \ud83d a pair",
    "\u202egnirts\u202c \u2066x\u2069 \u200f", "\x9b31m\x90q\x9c", "line\r\nline\x0b\x0c\u2028line", "\b\b\b\x7f",
]  # fmt: skip
OBEYED = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def sample(text: str, number: int) -> GeneratedSample:
    texts = dict.fromkeys(("image", "prompt", "reference", "generated"), text)
    nothing = dict.fromkeys(("labels", "labels_reference", "icd", "icd_reference"))
    return GeneratedSample(
        stage="stage_a", step=1, checkpoint=None, split="val", purpose="case",
        case=f"{number} {text}", scores={}, **texts, **nothing,
    )  # fmt: skip


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_that_is_printed_is_obeyed(text: str) -> None:
    for made, allowed in ((printable(text), "\n"), (one_line(text), "")):
        assert not [one for one in made if unicodedata.category(one) in OBEYED and one not in allowed]


@pytest.mark.parametrize("text", HOSTILE)
def test_commands_print_reports_as_text(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = create_run(tmp_path, "night")
    with open_writer(paths) as writer:
        writer.sample(sample(text, 1))
        writer.event("error", text, level="error")
        writer.progress("stage_a", 1, 9, note=text)
        writer.state("failed", text)
    for command in (["samples", "night", "--format", "text"], ["status", "night"], ["status"]):
        assert main([*command, "--runs", str(tmp_path)]) == 0
        out = capsys.readouterr().out
        assert not [one for one in out if unicodedata.category(one) in OBEYED and one != "\n"], command
    for command in (["samples", "night", "--format", "jsonl"], ["status", "night", "--json"]):
        assert main([*command, "--runs", str(tmp_path)]) == 0
        out = capsys.readouterr().out
        assert out.isascii() and out.count("\n") == 1
        assert text in json.loads(out).values()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=()), max_size=30))
def test_any_report_survives_the_store(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    home = tmp_path_factory.mktemp("runs")
    with open_writer(create_run(home, "night")) as writer:
        writer.sample(sample(text, 1))
    assert main(["samples", "night", "--runs", str(home), "--format", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out)["generated"] == text


def test_a_long_complaint_is_short_and_says_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["status", "x" * 390_000], ["status", "--" + "x" * 390_000], ["x" * 390_000]):
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(str(ended.code))
        said = capsys.readouterr().err
        assert code == 2 and said.count("\n") == 1
        assert len(said) < 2_300 and "characters left out" in said


def test_names_in_the_tables_of_a_run_cannot_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = "train/\x1b[31m\nstage_a,9,forged"
    paths = create_run(tmp_path, "night")
    with open_writer(paths) as writer:
        writer.open_attempt()
        writer.begin_attempt(odd, 0, {})
        writer.plan([{"stage": odd, "steps": 9}])
        writer.state("training")
        writer.scalars(odd, 3, {odd: 1.0})
    paths.root.rename(tmp_path / "night\x1b[2J")
    for command in (["scalars", "night\x1b[2J"], ["status", "night\x1b[2J"], ["status"]):
        assert main([*command, "--runs", str(tmp_path)]) == 0
        said = capsys.readouterr().out
        assert said and not [one for one in said if not one.isprintable() and one != "\n"], said
        if command[0] == "scalars":
            assert said.count("\n") == 2
