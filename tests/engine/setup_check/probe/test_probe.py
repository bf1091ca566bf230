"""The probe: what it may use, what it says, and that it changes nothing."""

import ast
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from engine.setup_check.probe import probe
from engine.setup_check.probe.framing import MARK, answer
from engine.setup_check.probe.stack import STACK
from engine.setup_check.probe.target import ask, find_target, prefix_of, statement

PROBE = Path(str(probe.__file__))
SOURCES = [PROBE, PROBE.with_name("probe_import.py")]
TRAINING = PROBE.with_name("probe_training.py")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_it_is_python_38_and_standard_library_only(source: Path) -> None:
    tree = ast.parse(source.read_text(), feature_version=(3, 8))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add((node.module or "").partition(".")[0])
    assert imported <= set(sys.stdlib_module_names)


def test_the_import_loads_next_to_nothing_itself() -> None:
    tree = ast.parse(SOURCES[1].read_text())
    top = [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
    assert top == ["faulthandler", "sys", "time"]
    assert all(name in sys.builtin_module_names for name in top)


def test_one_mark_is_known_to_all_who_answer() -> None:
    assert probe.MARK == MARK
    assert probe.answer(f'x{MARK}{{"path": []}}\nat exit') == {"path": []}
    assert probe.answer(f'{MARK}{{"path": [') is None and probe.answer("{}") is None


NOISE = {
    "at exit": "import atexit\natexit.register(print, 'bye {}')",
    "at exit, without an end of line": "import atexit, os\natexit.register(os.write, 1, b'{\"a\": 1}')",
    "at the start, without an end of line": "import os\nos.write(1, b'loading modules ...')",
    "an exit code of its own": "import atexit, os\natexit.register(lambda: (print('{}', flush=True), os._exit(3)))",
}


@pytest.mark.parametrize("code", NOISE.values(), ids=NOISE.keys())
def test_what_is_printed_around_an_answer_hides_nothing(environment: Any, code: str) -> None:
    (environment.site / "sitecustomize.py").write_text(code + "\n")
    assert [one.id for one in environment.findings() if one.status in ("fail", "warn")] == []
    assert prefix_of(find_target(str(environment.python))) == str(environment.root)


@pytest.mark.parametrize(
    "before", ["echo loading modules", "printf 'loading modules ...'", "echo '{\"part\": 1}'"]
)
def test_a_wrapper_that_prints_is_read_past(environment: Any, before: str) -> None:
    wrapper = environment.work / "python"
    wrapper.write_text(f'#!/bin/sh\n{before}\n{shlex.quote(str(environment.python))} "$@"\necho done\n')
    wrapper.chmod(0o755)
    target = find_target(str(wrapper))
    assert target.version == sys.version_info[:2]
    assert {part for part, _ in ask(target)} >= {"start", "distributions", "imports"}


def test_the_training_asks_for_the_stack_alone_and_only_once_it_runs() -> None:
    tree = ast.parse(TRAINING.read_text(), feature_version=(3, 8))
    top = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert top | {node.names[0].name for node in tree.body if isinstance(node, ast.Import)} == {
        "__future__", "tempfile", "typing",
    }  # fmt: skip


def run_probe(python: Path, *arguments: str) -> str:
    command = [str(python), "-I", "-S", str(SOURCES[0]), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_one_json_document(environment: Any) -> None:
    settings = {
        "imports": [one.as_json() for one in STACK if one.id == "numpy"],
        "import_source": SOURCES[1].read_text(),
    }
    document = json.loads(run_probe(environment.python, json.dumps(settings)))
    assert document["interpreter"]["version"].startswith("3.")
    assert {one["name"] for one in document["distributions"]} >= {"torch", "peft", "transformers"}
    (numpy,) = document["imports"]
    assert numpy["outcome"] == "ok" and numpy["module"]["version"] == "2.4.6"


def test_lines_hold_the_same_parts(environment: Any) -> None:
    lines = run_probe(environment.python, "--lines").split("\n")[:-1]
    said = [json.loads(answer(line) or "") for line in lines]
    assert [one["part"] for one in said] == [
        "probe", "interpreter", "environment", "start", "distributions", "leftovers", "folder",
    ]  # fmt: skip


def test_one_that_needs_all_before_it_is_not_tried_where_one_failed(environment: Any) -> None:
    imports = [
        {"id": "first", "module": "no_such_module"},
        {"id": "second", "module": "numpy", "after": ["first"]},
        {"id": "third", "module": "numpy", "after": ["first", "second"], "if_well": True},
    ]
    settings = {"imports": imports, "import_source": SOURCES[1].read_text()}
    document = json.loads(run_probe(environment.python, json.dumps(settings)))
    assert {one["id"]: (one["outcome"], one.get("because")) for one in document["imports"]} == {
        "first": ("failed", None),
        "second": ("ok", None),
        "third": ("skipped", "first"),
    }


def test_it_writes_nothing(environment: Any) -> None:
    before = sorted((str(path), path.stat().st_mtime_ns) for path in environment.root.rglob("*"))
    environment.facts()
    assert sorted((str(path), path.stat().st_mtime_ns) for path in environment.root.rglob("*")) == before


def test_secrets_in_the_environment_are_not_passed_on(
    environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("PIP_INDEX_URL", "https://name:word@example.org/")
    monkeypatch.setenv("PYTORCH_MPS_HIGH_WATERMARK_RATIO", "1.0")
    said = environment.facts().environment
    assert said["PYTORCH_MPS_HIGH_WATERMARK_RATIO"] == "1.0"
    assert "HF_TOKEN" not in said and "PIP_INDEX_URL" not in said


def test_the_whole_import_statement_is_found(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("import os\nfrom one.two import (\n    first,\n    second as other,\n)\n")
    assert statement([str(file), 3, "<module>"]) == "from one.two import first, second"
    assert statement([str(file), 1, "<module>"]) == "import os"
    assert statement([str(tmp_path / "absent.py"), 1, ""]) is None


def test_what_a_child_starts_ends_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    code = (
        "import subprocess, sys, time; "
        f"p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
        f"open({str(mark)!r}, 'w').write(str(p.pid)); time.sleep(60)"
    )
    ended = probe.child(["-c", code], 2)
    assert ended["timeout"]
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", mark.read_text()], capture_output=True, text=True
    ).stdout
    assert state.strip()[:1] in ("", "Z")


def test_a_child_that_writes_without_end_is_ended_with_its_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "MOST_OUTPUT", 1 << 20)
    monkeypatch.setattr(probe, "LOOK_SECONDS", 0.05)
    ended = probe.child(["-c", "def flood():\n    while True: print('x' * 999)\nflood()"], 60)
    assert ended["flood"] and not ended["timeout"]
    assert "in flood" in ended["stderr"]
    assert "1 MB" in probe.how_it_ended(ended, 60)


def test_a_probe_that_is_ended_takes_its_children_along(environment: Any) -> None:
    mark = environment.work / "pid"
    environment.edit(
        "torch/__init__.py",
        f"import os, time\nopen({str(mark)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)",
    )
    parts = ask(find_target(str(environment.python)))
    for part, _ in parts:
        if part == "folder":
            break
    deadline = time.monotonic() + 20
    while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    parts.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < deadline:
            os.kill(int(mark.read_text()), 0)
            time.sleep(0.02)
