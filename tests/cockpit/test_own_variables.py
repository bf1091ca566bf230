"""The doctor under the patient's variables: it starts all the same, and says which of them is in the way."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.setup_check.probe.stack import COCKPIT, STACK

ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """The command as it is installed: a file beside a Python that has the packages; called through a link."""
    folder = tmp_path / "env" / "bin"
    folder.mkdir(parents=True)
    (folder / "cxr-cockpit").write_bytes((ROOT / "scripts" / "cxr-cockpit").read_bytes())
    (folder / "cxr-cockpit").chmod(0o755)
    (folder / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "python").chmod(0o755)
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "cxr-cockpit").symlink_to(
        os.path.relpath(folder / "cxr-cockpit", tmp_path / "links")
    )
    return tmp_path / "links" / "cxr-cockpit"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with nothing in it: it is looked at in a second, the cockpit's own with its torch in twenty."""
    root = tmp_path_factory.mktemp("bare") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root)], check=True)
    return root / "bin" / "python"


def checked(command: list[str], folder: Path, python: Path | None = None, **variables: str) -> dict[str, Any]:
    """The findings by id of `check`, on `python` or the cockpit's own."""
    environment = os.environ | {
        "XDG_STATE_HOME": str(folder),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
    }
    for name in ("PYTHONPATH", "PYTHONHOME"):
        environment.pop(name, None)
    asked = ["check", "--json", *(["--python", str(python)] if python else [])]
    ended = subprocess.run(
        [*command, *asked], capture_output=True, text=True, cwd=folder, env=environment | variables
    )
    assert "Traceback" not in ended.stderr and "Fatal" not in ended.stderr, ended.stderr
    found: dict[str, Any] = {one["id"]: one for one in json.loads(ended.stdout)["findings"]}
    return found


@pytest.mark.parametrize(
    ("name", "value"), [("PYTHONHOME", "/nowhere"), ("PYTHONHASHSEED", "never"), ("PYTHONMALLOC", "bogus")]
)
def test_the_command_starts_where_no_python_would(
    command: Path, bare: Path, tmp_path: Path, name: str, value: str
) -> None:
    assert subprocess.run(
        [sys.executable, "-c", ""], env=os.environ | {name: value}, capture_output=True
    ).returncode
    found = checked([str(command)], tmp_path, bare, **{name: value})
    assert found["interpreter-start"]["status"] == "fail" and name in found["interpreter-start"]["title"]


@pytest.fixture
def breaking(tmp_path: Path) -> str:
    """A PYTHONPATH of modules that end whoever imports them, the cockpit included."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "pydantic.py").write_text("raise RuntimeError('not this one')\n")
    (other / "numpy.py").write_text("raise RuntimeError('not this one')\n")
    return f"{other}:{ROOT}"


def test_it_starts_with_modules_on_pythonpath_that_break_it(
    command: Path, bare: Path, tmp_path: Path, breaking: str
) -> None:
    for start in ([str(command)], [sys.executable, "-m", "cockpit.cli"]):
        found = checked(start, tmp_path, bare, PYTHONPATH=breaking)
        assert found["pythonpath-set"]["found"] == breaking and "cockpit-packages" not in found


def test_started_by_python_itself_it_starts_again(bare: Path, tmp_path: Path) -> None:
    """A PYTHONHOME with the plain half of a library: Python starts, and ends at the first compiled module."""
    library = Path(os.__file__).parent
    half = tmp_path / "half" / "lib" / library.name
    half.parent.mkdir(parents=True)
    half.mkdir()
    for file in library.iterdir():
        if file.name != "lib-dynload" and file.name != "site-packages":
            (half / file.name).symlink_to(file)
    site = next(bare.parent.parent.glob("lib/python*/site-packages"))
    (site / "numpy.py").write_text(
        "import _struct\ndef ones(count): return 1\ndef dot(one, other): return 2\n"
    )
    found = checked([sys.executable, "-m", "cockpit.cli"], tmp_path, bare, PYTHONHOME=str(tmp_path / "half"))
    (site / "numpy.py").unlink()
    (told,) = [one for one in found.values() if one["status"] == "fail" and "PYTHONHOME" in one["title"]]
    assert told["id"] == "environment-pythonhome" and "unset PYTHONHOME" in told["why"]


def test_all_that_its_own_python_needs_works(tmp_path: Path) -> None:
    """For real: torch, the training of a small model, and what the cockpit itself rests on."""
    found = checked([sys.executable, "-m", "cockpit.cli"], tmp_path)
    assert [one for one in found.values() if one["status"] == "fail"] == []
    assert [one.id for one in (*STACK, *COCKPIT) if found[f"import-{one.id}"]["status"] != "ok"] == []
