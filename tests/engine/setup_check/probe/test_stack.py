"""Trials in a process of their own, with the real packages: what they do, and what training does not let pass."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.setup_check.probe import stack

(TRIAL,) = [one for one in stack.STACK if one.id == "training"]
SOURCE = Path(str(stack.__file__)).with_name("probe_import.py")  # it runs when it is imported


def beside(folder: Path, name: str, version: str, source: str = "") -> None:
    """A package as it would lie beside the stack."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(source)


HIDE_JINJA2 = """
from importlib.machinery import PathFinder
found = PathFinder.find_spec
PathFinder.find_spec = lambda name, *place: None if name == "jinja2" else found(name, *place)
"""

#: What lies first on the path, the words of the failure (of jinja2 the name that is missed), what was under way.
FAULTS = {
    "torchao": ("incompatible version of torchao", "to put a LoRA adapter on it"),
    "bitsandbytes": ("'scipi'", "to put a LoRA adapter on it"),
    "jinja2": ("jinja2", "to save the adapter"),
}


@pytest.fixture(scope="module")
def trials(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, tuple[Path, subprocess.Popen[bytes]]]]:
    """The trial beside each of these, all under way at once: each takes half a minute of imports."""
    places = {name: tmp_path_factory.mktemp(name) for name in FAULTS}
    beside(places["torchao"] / "site", "torchao", "0.3.1")
    beside(places["bitsandbytes"] / "site", "bitsandbytes", "0.41.1", "import scipi")
    (places["jinja2"] / "site").mkdir()
    (places["jinja2"] / "site" / "sitecustomize.py").write_text(HIDE_JINJA2)
    started = {}
    for name, place in places.items():
        command = [sys.executable, "-P", "-c", SOURCE.read_text(), str(place / "training"), "240"]
        environment = os.environ | {"PYTHONPATH": str(place / "site")}
        process = subprocess.Popen(
            [*command, TRIAL.module, TRIAL.action],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        started[name] = place, process
    yield started
    for _, process in started.values():
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", FAULTS)
def test_what_imports_do_not_load_is_found_and_nothing_is_left(
    trials: dict[str, tuple[Path, subprocess.Popen[bytes]]], name: str
) -> None:
    place, process = trials[name]
    assert process.wait() == 0
    (written,) = place.glob("training.*")
    facts: dict[str, Any] = ast.literal_eval(written.read_text())
    words, doing = FAULTS[name]
    last = facts["error"][-1]
    assert (
        words in (last["name"] if name == "jinja2" else last["message"]) and facts["notes"]["doing"] == doing
    )
    assert {path.name for path in place.iterdir()} == {"site", written.name}


def test_every_trial_uses_what_it_imports() -> None:
    assert [one.id for one in (*stack.STACK, *stack.COCKPIT) if not one.action] == []
