"""Nothing that lies in the working directory by chance is run."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.programs import leave_out_working_directory, safe_python_children


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("/usr/bin:/bin", "/usr/bin:/bin"),
        (":/usr/bin", "/usr/bin"),
        ("/usr/bin:", "/usr/bin"),
        (".:bin:/usr/bin:./x:~/bin", "/usr/bin"),
        ("", os.defpath),
        (".", os.defpath),
    ],
)
def test_path(path: str, left: str) -> None:
    environment = {"PATH": path, "HOME": "/home/x"}
    leave_out_working_directory(environment)
    assert environment == {"PATH": left, "HOME": "/home/x"}


def test_python_path_keeps_what_was_asked_for() -> None:
    environment = {"PYTHONPATH": ":src::/opt/mine:"}
    leave_out_working_directory(environment)
    assert environment == {"PYTHONPATH": "src:/opt/mine"}
    empty: dict[str, str] = {}
    leave_out_working_directory(empty)
    assert empty == {}


@pytest.mark.parametrize("before", [None, "", "1"])
def test_the_variable_is_as_it_was(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    if before is None:
        monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    else:
        monkeypatch.setenv("PYTHONSAFEPATH", before)
    with pytest.raises(KeyboardInterrupt), safe_python_children():
        child = multiprocessing.get_context("spawn").Process(target=print)
        child.start()
        child.join()
        assert child.exitcode == 0 and os.environ["PYTHONSAFEPATH"] == "1"
        raise KeyboardInterrupt
    assert os.environ.get("PYTHONSAFEPATH") == before


#: As an installed script is: its own directory comes first, not the working directory, and there is no -P.
SCRIPT = """
import sys
from pathlib import Path
from engine.phantom.dataset import write_dataset
if __name__ == "__main__":
    write_dataset(Path(sys.argv[1]), 12, 5, 64, workers=2)
"""


def test_workers_and_their_resource_tracker_import_nothing_from_there(tmp_path: Path) -> None:
    hostile, ran = tmp_path / "hostile", tmp_path / "ran"
    hostile.mkdir()
    for name in ("multiprocessing", "re", "signal", "random", "numpy", "sitecustomize"):
        (hostile / f"{name}.py").write_text(f"open({str(ran)!r}, 'a').write('{name} ')")
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "draw.py"
    script.write_text(SCRIPT)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    drawn = subprocess.run(
        [sys.executable, script, tmp_path / "out"],
        cwd=hostile,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert not ran.exists(), ran.read_text()
    assert drawn.returncode == 0, drawn.stderr
    assert list((tmp_path / "out").rglob("*.jpg"))
