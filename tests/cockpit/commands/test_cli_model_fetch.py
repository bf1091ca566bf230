"""`model fetch` as people use it: in a process of its own, followed, ended by Ctrl-C, gone on with."""

import os
import random
import signal
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from cockpit.cli import main
from cockpit.commands import model_fetch
from engine.download.model_download import (
    Download,
    read_download,
    start_download,
    stop_download,
    workplace,
)

SHARD = "model.safetensors"


@pytest.fixture
def hub(fake_hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    fake_hub.files = {"config.json": b"{}", SHARD: random.Random(1).randbytes(300_000)}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model_fetch, "POLL_SECONDS", 0.02)
    return fake_hub


class Held:
    """Sends part of a file, says so, and keeps the rest until it is let go."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.reached = threading.Event()
        self.let_go = threading.Event()

    def __call__(self, handler: BaseHTTPRequestHandler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: self._count])
        self.reached.set()
        self.let_go.wait(30)
        handler.close_connection = True


def ctrl_c_when(monkeypatch: pytest.MonkeyPatch, condition: Callable[[Download], bool]) -> None:
    """Ctrl-C, once, as soon as the follower shows a download of which `condition` holds."""
    show = model_fetch.progress_lines
    pressed: list[bool] = []

    def shown(download: Download) -> list[str]:
        if condition(download) and not pressed:
            pressed.append(True)
            os.kill(os.getpid(), signal.SIGINT)
        return show(download)

    monkeypatch.setattr(model_fetch, "progress_lines", shown)


def part_size(directory: Path) -> int:
    return sum(part.stat().st_size for part in workplace(directory).glob("*.part"))


def ended(directory: Path) -> Any:
    """The download's end, once its process has let go of the lock."""
    pause = threading.Event()
    for _ in range(1500):
        download = read_download(directory)
        if download is not None and not download.live:
            return download
        pause.wait(0.02)
    raise AssertionError("the download did not end")


def test_it_ends_whole_and_says_what_is_next(
    hub: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", "fetch", "some/model"]) == 0
    printed = capsys.readouterr().out
    assert f"✔ {SHARD}  300 kB" in printed
    assert printed.endswith("next: cxr-cockpit model inspect models/model\n")
    assert (tmp_path / "models" / "model" / SHARD).read_bytes() == hub.files[SHARD]
    assert main(["model", "fetch", "some/model"]) == 0
    assert [name for name, _ in hub.asked].count(SHARD) == 1


def test_ctrl_c_keeps_what_is_here_and_says_how_to_go_on(
    hub: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(200_000)
    hub.faults[SHARD] = [held]
    ctrl_c_when(monkeypatch, lambda download: part_size(download.directory) >= 200_000)
    assert main(["model", "fetch", "some/model", "--to", "here"]) == 1
    held.let_go.set()
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("stopped: ") and last.endswith(
        "go on with `cxr-cockpit model fetch some/model --to here`"
    )
    assert not (tmp_path / "here" / SHARD).exists()
    assert main(["model", "fetch", "some/model", "--to", "here"]) == 0
    assert hub.asked[-1] == (SHARD, 200_000), hub.asked


def test_one_started_elsewhere_is_joined_and_left_alone(
    hub: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(100_000)
    hub.faults[SHARD] = [held]
    there = tmp_path / "models" / "model"
    start_download("some/model", "main", there)
    assert held.reached.wait(30)
    ctrl_c_when(monkeypatch, lambda _download: True)
    assert main(["model", "fetch", "some/model"]) == 1
    assert "the download goes on" in capsys.readouterr().out
    here = read_download(there)
    assert here is not None and here.live and here.pid is not None
    assert start_download("some/model", "main", there).pid == here.pid
    stop_download(here)
    assert ended(there).state == "stopped"
    held.let_go.set()


def test_a_killed_one_is_told_of_and_gone_on_with(hub: Any, tmp_path: Path) -> None:
    held = Held(100_000)
    hub.faults[SHARD] = [held]
    there = tmp_path / "models" / "model"
    start_download("some/model", "main", there)
    assert held.reached.wait(30)
    here = read_download(there)
    assert here is not None and here.pid is not None
    pause = threading.Event()
    while not part_size(there):
        pause.wait(0.02)
    os.kill(here.pid, signal.SIGKILL)
    assert ended(there).state == "interrupted"
    held.let_go.set()
    assert main(["model", "fetch", "some/model"]) == 0
    assert (there / SHARD).read_bytes() == hub.files[SHARD]
    name, begun = hub.asked[-1]
    assert name == SHARD and begun > 0  # not from nothing


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["some/other"], "no such repository", 2),
        (["model"], "written OWNER/NAME", 2),
        (["some/model", "--to", "file/below"], "cannot be written", 2),
    ],
)
def test_what_cannot_be_is_one_line(
    hub: Any, tmp_path: Path, arguments: list[str], words: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["model", "fetch", *arguments]) == code
    printed = capsys.readouterr().err
    assert printed.startswith("cxr-cockpit: ") and printed.count("\n") == 1 and words in printed
