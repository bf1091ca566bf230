"""Runs and engines for the tests of the run directory."""

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.runs.layout import RunPaths, create_run
from engine.runs.store.opening import RunReader, RunWriter, open_reader, open_writer

Script = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return create_run(tmp_path / "runs", "night")


@pytest.fixture
def writer(paths: RunPaths) -> Iterator[RunWriter]:
    with open_writer(paths) as opened:
        yield opened


@pytest.fixture
def reader(paths: RunPaths, writer: RunWriter) -> Iterator[RunReader]:
    with open_reader(paths) as opened:
        yield opened


@pytest.fixture
def script(paths: RunPaths) -> Iterator[Script]:
    """Run Python code in another process, with `paths` defined; its lines are read from `.stdout`."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str) -> subprocess.Popen[str]:
        head = (
            "import sys\nfrom pathlib import Path\nfrom engine.runs.layout import RunPaths\n"
            f"paths = RunPaths(Path({str(paths.root)!r}))\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", head + textwrap.dedent(code)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()
