"""The real program on a pseudo-terminal: how it starts, how it leaves, what it sends."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock
from engine.runs.store import open_writer

PROGRAM = """
import sys
from pathlib import Path
from cockpit.app import run_app
sys.exit(run_app(None, Path(sys.argv[1])))
"""


@dataclass
class Terminal:
    """The app on a pseudo-terminal, whose output is read by a thread until `stall` is set."""

    process: subprocess.Popen[bytes]
    master: int
    slave: int
    output: bytearray = field(default_factory=bytearray)
    stall: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        while not self.stall.is_set():
            try:
                if select.select([self.master], [], [], 0.05)[0]:
                    self.output.extend(os.read(self.master, 65536))
            except (OSError, ValueError):
                return

    def until(self, seen: Callable[[], bool], seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while not seen():
            assert time.monotonic() < deadline, bytes(self.output[-2000:])
            time.sleep(0.01)

    def seconds_to_end(self) -> float:
        start = time.monotonic()
        self.process.wait(timeout=10)
        return time.monotonic() - start

    def local_flags(self) -> int:
        return int(termios.tcgetattr(self.slave)[3])


@pytest.fixture
def open_app(tmp_path: Path) -> Iterator[Callable[[Path], Terminal]]:
    opened: list[Terminal] = []

    def start(runs: Path) -> Terminal:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        environment = os.environ | {"TERM": "xterm-256color", "PYTHONPATH": os.getcwd()}
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(runs)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0) and None,
            env=environment,
        )
        terminal = Terminal(process, master, slave)
        threading.Thread(target=terminal.read, daemon=True).start()
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.stall.set()
        terminal.process.kill()
        terminal.process.wait()
        for descriptor in (terminal.master, terminal.slave):
            try:
                os.close(descriptor)
            except OSError:
                continue


def on_screen(terminal: Terminal, words: str) -> Callable[[], bool]:
    return lambda: words.encode() in terminal.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_app_and_leaves_the_terminal_sane(record, open_app, number: signal.Signals) -> None:
    paths: RunPaths = record()
    terminal = open_app(paths.root.parent)
    terminal.until(on_screen(terminal, "parked"))
    assert not terminal.local_flags() & termios.ECHO
    terminal.process.send_signal(number)
    assert terminal.seconds_to_end() < 1.2
    assert terminal.process.returncode == 128 + number
    terminal.until(on_screen(terminal, "\x1b[?1049l"))
    assert terminal.local_flags() & termios.ECHO
    assert b"Traceback" not in terminal.output


def test_hanging_up_ends_the_app(record, open_app) -> None:
    paths: RunPaths = record()
    terminal = open_app(paths.root.parent)
    terminal.until(on_screen(terminal, "parked"))
    terminal.stall.set()
    os.close(terminal.slave)
    os.close(terminal.master)
    assert terminal.seconds_to_end() < 1.5


def test_a_terminal_that_takes_nothing_does_not_keep_the_app(record, open_app) -> None:
    """A stalled link blocks the event loop; SIGTERM must work all the same."""
    paths: RunPaths = record()
    terminal = open_app(paths.root.parent)
    terminal.until(on_screen(terminal, "parked"))
    terminal.stall.set()
    for rows in (41, 39) * 40:  # every resize repaints, until the terminal is full
        fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 120, 0, 0))
        terminal.process.send_signal(signal.SIGWINCH)
        time.sleep(0.02)
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.seconds_to_end() < 1.5


def test_q_leaves_the_engine_alone_and_says_so(record, open_app) -> None:
    paths: RunPaths = record(end=None)
    with EngineLock.take(paths), open_writer(paths) as writer:
        terminal = open_app(paths.root.parent)
        terminal.until(on_screen(terminal, "training"))
        os.write(terminal.master, b"q")
        terminal.until(on_screen(terminal, "training continues; come back with: cxr-cockpit"))
        terminal.process.wait(timeout=5)
        assert terminal.process.returncode == 0
        assert writer.take_commands() == []


def test_q_says_nothing_when_no_engine_lives(record, open_app) -> None:
    terminal = open_app(record().root.parent)
    terminal.until(on_screen(terminal, "parked"))
    os.write(terminal.master, b"q")
    terminal.process.wait(timeout=5)
    assert b"training continues" not in terminal.output


def test_a_training_run_sends_less_than_three_kilobytes_a_second(record, open_app) -> None:
    paths: RunPaths = record(end=None)
    with EngineLock.take(paths), open_writer(paths) as writer:
        terminal = open_app(paths.root.parent)
        terminal.until(on_screen(terminal, "training"))
        step, sent = 50, []
        for _ in range(8):
            before = len(terminal.output)
            for _ in range(2):
                step += 1
                writer.scalars(
                    "stage_b", step, {"train/loss": 2.0 - step / 200, "train/lr": 1e-4 - step * 1e-7}
                )
                writer.progress("stage_b", step, 100, step / 33, 1.1, 12.0 + step % 7 / 10, 90.0 - step, 5.0)
                time.sleep(0.25)
            sent.append(len(terminal.output) - before)
        assert sum(sent[2:]) / (0.5 * len(sent[2:])) < 3000


def test_the_app_is_imported_without_what_it_does_not_need_yet() -> None:
    torch = ("torch", "transformers", "peft", "accelerate")
    heavy = (*torch, "numpy", "PIL", "plotext", "pydantic", "yaml", "psutil", "duckdb")
    code = f"import sys, cockpit.app; print(*(name for name in {heavy!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
