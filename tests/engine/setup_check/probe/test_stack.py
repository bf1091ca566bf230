"""Trials in a process of their own, with the real packages: what they do, and what training does not let pass."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.setup_check.probe import stack

(TRIAL,) = [one for one in stack.STACK if one.id == "training"]
SOURCE = Path(str(stack.__file__)).with_name("probe_import.py")  # it runs when it is imported


def tried(scratch: Path, first_on_path: Path | None = None, trial: stack.Trial = TRIAL) -> dict[str, Any]:
    """What the child wrote down of the trial."""
    result = scratch / "training"
    command = [sys.executable, "-P", "-c", SOURCE.read_text(), str(result), "240", trial.module, trial.action]
    environment = os.environ | ({"PYTHONPATH": str(first_on_path)} if first_on_path else {})
    subprocess.run(command, env=environment, check=True, capture_output=True)
    (written,) = scratch.glob("training.*")
    facts: dict[str, Any] = ast.literal_eval(written.read_text())
    written.unlink()
    return facts


def beside(folder: Path, name: str, version: str, source: str = "") -> None:
    """A package as it would lie beside the stack."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(source)


def test_a_whole_stack_does_all_of_it_and_leaves_nothing(tmp_path: Path) -> None:
    facts = tried(tmp_path)
    assert facts["error"] is None and facts["step"] == "done" and facts["notes"]["doing"] == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "version", "source", "words", "doing"),
    [
        ("torchao", "0.3.1", "", "incompatible version of torchao", "to put a LoRA adapter on it"),
        ("bitsandbytes", "0.41.1", "import scipi", "'scipi'", "to put a LoRA adapter on it"),
    ],
)
def test_a_back_end_that_imports_do_not_load_is_found(
    tmp_path: Path, name: str, version: str, source: str, words: str, doing: str
) -> None:
    beside(tmp_path / "site", name, version, source)
    facts = tried(tmp_path, tmp_path / "site")
    assert words in facts["error"][-1]["message"] and facts["notes"]["doing"] == doing


HIDE_JINJA2 = """
from importlib.machinery import PathFinder
found = PathFinder.find_spec
PathFinder.find_spec = lambda name, *place: None if name == "jinja2" else found(name, *place)
"""


def test_an_adapter_that_cannot_be_saved_is_found(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(HIDE_JINJA2)
    facts = tried(tmp_path, tmp_path / "site")
    assert facts["error"][-1]["name"] == "jinja2" and facts["notes"]["doing"] == "to save the adapter"


@pytest.mark.parametrize("trial", stack.COCKPIT, ids=lambda one: one.id)
def test_what_the_cockpit_needs_is_used_and_not_only_imported(tmp_path: Path, trial: stack.Trial) -> None:
    assert trial.action
    assert tried(tmp_path, trial=trial)["error"] is None


def test_every_trial_uses_what_it_imports() -> None:
    assert [one.id for one in stack.STACK if not one.action] == []
