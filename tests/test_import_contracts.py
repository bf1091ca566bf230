"""The contracts on imports bite: what they forbid, planted in a copy of the tree, is told; without them it is not."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLANTED = {
    "no screen knows another": ("cockpit/screens/data/facts.py", "cockpit.screens.log.state"),
    "the cockpit's layers": ("cockpit/toolkit/lines.py", "cockpit.screens.log.state"),
    "the engine knows nothing of the cockpit": ("engine/__main__.py", "cockpit.toolkit.figures"),
}
"""Contract: a file, and what it must not import."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for package in ("cockpit", "engine"):
        shutil.copytree(
            ROOT / package,
            tmp_path / package,
            ignore=lambda _at, names: [n for n in names if "." in n and not n.endswith(".py")],
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, module in PLANTED.values():
        path = tmp_path / file
        path.write_text(f"{path.read_text()}\n\ndef planted() -> None:\n    import {module}\n")
    return tmp_path


def lint(tree: Path) -> tuple[int, str]:
    command = [
        sys.executable,
        "-P",
        "-c",
        "from importlinter.cli import lint_imports_command as lint; lint()",
        "--no-cache",
    ]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, env={"PYTHONPATH": str(tree)})
    return done.returncode, done.stdout + done.stderr


def without(pyproject: str, contract: str) -> str:
    """The text without the contract of that name."""
    head, *contracts = re.split(r"(?m)^(?=\[\[tool\.importlinter\.contracts\]\])", pyproject)
    kept = [one for one in contracts if f'name = "{contract}"' not in one]
    assert len(kept) == len(contracts) - 1
    return head + "".join(kept)


def test_each_contract_tells_what_it_forbids_and_only_it(tree: Path) -> None:
    code, told = lint(tree)
    assert code != 0
    for contract, (file, module) in PLANTED.items():
        importer = file.removesuffix(".py").replace("/", ".")
        assert f"{contract} BROKEN" in told
        assert f"{importer} -> {module}" in told
    pyproject = tree / "pyproject.toml"
    for contract in PLANTED:
        pyproject.write_text(without(pyproject.read_text(), contract))
    code, told = lint(tree)
    assert code == 0, told
