"""The real program on a pseudo-terminal and in tmux: how it starts, how it leaves, what it sends.

Nothing here is judged by the clock: a wait ends when the thing has happened, and only a hang runs into its bound.
"""

import fcntl
import os
import pty
import random
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from cockpit.input_handling import PACE_SECONDS
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock
from engine.runs.store.opening import open_writer

pytestmark = pytest.mark.slow

HANG = 60.0
"""Seconds after which something will not happen any more, however busy the machine is."""
PROGRAM = """
import sys
from pathlib import Path
import cockpit.app
from cockpit.input_handling import PACE_SECONDS
from cockpit.app import run_app
cockpit.app.checks_on = lambda runs: None  # no imports of the stack beside the tests
sys.exit(run_app(None, Path(sys.argv[1]), images=sys.argv[2], poll_seconds=0.05))
"""
MOST_BYTES_AN_UPDATE = 800


def program(runs: Path, images: str = "half") -> list[str]:
    return [sys.executable, "-c", PROGRAM, str(runs), images]


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("TMUX", "COLORTERM")}
    return kept | {"TERM": "xterm-256color", "PYTHONPATH": os.getcwd()}


def wait_for(seen: Callable[[], bool], said: Callable[[], object]) -> None:
    deadline = time.monotonic() + HANG
    while not seen():
        assert time.monotonic() < deadline, said()
        time.sleep(0.01)


@dataclass
class Terminal:
    """The app on a pseudo-terminal, whose output is read by a thread until `stall` is set."""

    process: subprocess.Popen[bytes]
    master: int
    slave: int
    answers: list[bytes] = field(default_factory=list)
    output: bytearray = field(default_factory=bytearray)
    stall: threading.Event = field(default_factory=threading.Event)
    answered: int = 0
    reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        while not self.stall.is_set():
            try:
                if select.select([self.master], [], [], 0.05)[0]:
                    self.output.extend(os.read(self.master, 65536))
                if self.answers and self.output.count(b"\x1b[c") > self.answered:
                    self.answered += 1
                    os.write(self.master, self.answers.pop(0))
            except (OSError, ValueError):
                return

    def until(self, seen: Callable[[], bool]) -> None:
        wait_for(seen, lambda: bytes(self.output[-2000:]))

    def shows(self, words: str) -> None:
        self.until(lambda: words.encode() in self.output)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    def hang_up(self) -> None:
        """Close both ends, once: their numbers may soon be somebody else's."""
        self.stall.set()
        self.reader.join()
        for descriptor in (self.master, self.slave):
            if descriptor >= 0:
                os.close(descriptor)
        self.master = self.slave = -1

    def ended(self) -> int:
        return self.process.wait(timeout=HANG)

    def local_flags(self) -> int:
        return int(termios.tcgetattr(self.slave)[3])


Open = Callable[..., Terminal]


@pytest.fixture
def open_app() -> Iterator[Open]:
    opened: list[Terminal] = []

    def start(runs: Path, images: str = "half", answers: Iterable[bytes] = (), **more: str) -> Terminal:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        process = subprocess.Popen(
            program(runs, images),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0) and None,
            env=environment() | more,
        )
        terminal = Terminal(process, master, slave, list(answers))
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.process.kill()
        terminal.process.wait()
        terminal.hang_up()


# --- leaving --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_app_and_leaves_the_terminal_sane(record, open_app: Open, number: int) -> None:
    paths: RunPaths = record()
    terminal = open_app(paths.root.parent)
    terminal.shows("parked")
    assert not terminal.local_flags() & termios.ECHO
    terminal.process.send_signal(number)
    assert terminal.ended() == 128 + number
    terminal.shows("\x1b[?1049l")
    assert terminal.local_flags() & termios.ECHO
    assert b"Traceback" not in terminal.output


def test_hanging_up_ends_the_app(record, open_app: Open) -> None:
    terminal = open_app(record().root.parent)
    terminal.shows("parked")
    terminal.hang_up()
    assert terminal.ended() != 0


def test_a_terminal_that_takes_nothing_does_not_keep_the_app(record, open_app: Open) -> None:
    """A stalled link blocks the event loop; SIGTERM must work all the same."""
    terminal = open_app(record().root.parent)
    terminal.shows("parked")
    terminal.stall.set()
    # Every resize repaints, until the terminal takes no more.
    for rows in (41, 39) * 200:
        terminal.resize(120, rows)
        time.sleep(0.005)
        if not select.select([], [terminal.slave], [], 0)[1]:
            break
    else:
        pytest.fail("the terminal never filled up")
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.ended() == 128 + signal.SIGTERM


def test_q_leaves_the_engine_alone_and_says_so(record, open_app: Open) -> None:
    paths: RunPaths = record(end=None)
    with EngineLock.take(paths), open_writer(paths) as writer:
        terminal = open_app(paths.root.parent)
        terminal.shows("training")
        os.write(terminal.master, b"q")
        terminal.shows("training continues; come back with: cxr-cockpit")
        assert terminal.ended() == 0
        assert writer.take_commands() == []


def test_q_says_nothing_when_no_engine_lives(record, open_app: Open) -> None:
    terminal = open_app(record().root.parent)
    terminal.shows("parked")
    os.write(terminal.master, b"q")
    assert terminal.ended() == 0
    assert b"training continues" not in terminal.output


# --- what is sent, and what comes in --------------------------------------------------------------------------


def test_an_update_of_a_training_run_sends_little_and_no_update_sends_nothing(record, open_app: Open) -> None:
    paths: RunPaths = record(end=None)
    with EngineLock.take(paths), open_writer(paths) as writer:
        terminal = open_app(paths.root.parent)
        terminal.shows("training")
        sent = []
        for step in range(51, 71):
            before = len(terminal.output)
            writer.scalars("stage_b", step, {"train/loss": 2.0 - step / 200, "train/lr": 1e-4 - step * 1e-7})
            writer.progress("stage_b", step, 100, step / 33, 1.1, 12.0 + step % 7 / 10, 90.0 - step, 5.0)
            terminal.until(lambda before=before: len(terminal.output) > before)
            sent.append(len(terminal.output) - before)
        # The first ones may hold the rest of the first paint.
        assert sum(sent[5:]) / len(sent[5:]) < MOST_BYTES_AN_UPDATE, sent
        quiet = -1
        while quiet != len(
            terminal.output
        ):  # whole seconds of some twenty looks each, until one sends nothing
            quiet = len(terminal.output)
            time.sleep(1.0)
        assert terminal.process.poll() is None


def test_any_size_at_any_time(record, open_app: Open) -> None:
    terminal = open_app(record().root.parent)
    terminal.shows("parked")
    for columns, rows in ((59, 24), (60, 19), (1, 1)):
        terminal.output.clear()
        terminal.resize(columns, rows)
        if columns > 1:
            terminal.shows("too small")
    for columns, rows in ((80, 24), (200, 60), (60, 20)):
        terminal.output.clear()
        terminal.resize(columns, rows)
        terminal.shows("parked")
    os.write(terminal.master, b"q")
    assert terminal.ended() == 0
    assert b"Traceback" not in terminal.output


def test_garbage_from_the_terminal_is_survived(record, open_app: Open) -> None:
    terminal = open_app(record(end="finished").root.parent)
    terminal.shows("finished")
    noise = random.Random(0)
    pieces = [
        b"\x1b[",
        b"\x1b]",
        b"\x1bP",
        b"\x1b_G",
        b"\x1bO",
        b"\xff\xfe",
        b"\xc3",
        b"\x00",
        b";",
        b"9",
        b"M",
        b"\x1b\\",
    ]
    os.write(terminal.master, b"\xff\xfe")
    for _ in range(40):
        os.write(terminal.master, b"".join(noise.choices(pieces, k=25)))
    os.write(terminal.master, b"\x1b\\\x1b\\")
    pressed = [0.0]

    def press() -> bool:
        """Keys are still understood, one at a time; the first few may belong to what the noise began."""
        if time.monotonic() > pressed[0] + 2 * PACE_SECONDS:
            os.write(terminal.master, b"6")
            pressed[0] = time.monotonic()
        return b"training.log" in terminal.output

    terminal.until(press)
    assert terminal.process.poll() is None
    assert b"Traceback" not in terminal.output


def test_kitty_graphics_are_used_where_the_terminal_proves_them(record, open_app: Open) -> None:
    name = b"\x1bP>|kitty(0.42)\x1b\\\x1b[6;20;10t\x1b[?62;c"
    terminal = open_app(record().root.parent, "auto", (name, b"\x1b_Gi=31;OK\x1b\\\x1b[?62;c"))
    terminal.shows("a=T,U=1")
    terminal.shows("\U0010eeee\u0305\u0305")


def test_sixels_are_drawn_where_they_are_asked_for(record, open_app: Open) -> None:
    terminal = open_app(record().root.parent, "sixel")
    terminal.shows("\x1bP0;1;0q")


def test_without_proof_films_are_made_of_half_cells(record, open_app: Open) -> None:
    terminal = open_app(record().root.parent, "auto", [b"\x1b[?62;c"])
    terminal.shows("▀▀▀")
    assert b"a=T" not in terminal.output


def test_without_colours_it_is_the_same_app(record, open_app: Open) -> None:
    terminal = open_app(record().root.parent, NO_COLOR="1")
    terminal.shows("parked")
    for key, words in ((b"2", "worst first"), (b"3", "Setup check"), (b"4", "curriculum"), (b"5", "took")):
        os.write(terminal.master, key)
        terminal.shows(words)
    os.write(terminal.master, b"q")
    assert terminal.ended() == 0
    assert b"Traceback" not in terminal.output


def test_where_the_locale_has_no_more_everything_is_ascii(record, open_app: Open) -> None:
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    terminal = open_app(record().root.parent, **locale)
    terminal.shows("parked")
    for key, words in ((b"2", "worst first"), (b"5", "took"), (b"6", "training.log")):
        os.write(terminal.master, key)
        terminal.shows(words)
    assert terminal.output.isascii()
    os.write(terminal.master, b"q")
    assert terminal.ended() == 0


# --- in tmux --------------------------------------------------------------------------------------------------

SHELL = '"$0" "$@"; echo "ended with $?"; stty -a; exec cat'


class Tmux:
    """A server of its own with one window, in which the app was started from a shell."""

    def __init__(self, socket: Path, argv: list[str]) -> None:
        self._socket = socket
        self.run("-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", "sh", "-c", SHELL, *argv)
        self.shell = psutil.Process(int(self.run("list-panes", "-F", "#{pane_pid}")))

    def run(self, *arguments: str) -> str:
        argv = ["tmux", "-S", str(self._socket), *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, env=environment(), check=True)
        return done.stdout

    def shows(self, *words: str) -> None:
        wait_for(lambda: all(word in self.screen() for word in words), self.screen)

    def screen(self) -> str:
        return self.run("capture-pane", "-p")

    def app(self) -> psutil.Process:
        return self.shell.children()[0]


@pytest.fixture
def tmux(tmp_path: Path, record) -> Iterator[Tmux]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    server = Tmux(tmp_path / "socket", program(record().root.parent))
    yield server
    subprocess.run(["tmux", "-S", str(tmp_path / "socket"), "kill-server"], capture_output=True, check=False)


def test_in_tmux_the_app_follows_every_size(tmux: Tmux) -> None:
    tmux.shows("parked", "q leave")
    for columns, rows in ((80, 24), (200, 60)):
        tmux.run("resize-window", "-x", str(columns), "-y", str(rows))
        tmux.shows("parked", "q leave", "─" * columns)
        assert len(tmux.screen().rstrip("\n").split("\n")) == rows
    tmux.run("resize-window", "-x", "50", "-y", "15")
    tmux.shows("too small")


def test_in_tmux_the_title_tells_the_run_and_is_put_back(tmp_path: Path, record) -> None:
    """Whatever is asked of the terminal at the start leaves nothing there, either."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    begin = [
        sys.executable,
        "-c",
        "import sys; sys.stdout.write('\\x1b]2;mine\\x1b\\\\'); sys.stdout.flush()",
    ]
    server = Tmux(tmp_path / "socket", begin)
    try:
        server.shows("ended with 0")

        def title() -> str:
            return server.run("display-message", "-p", "#{pane_title}").strip()

        wait_for(lambda: title() == "mine", title)
        for number, leave in enumerate((("send-keys", "q"), None)):
            argv = program(record(f"night-{number}", end="parked").root.parent, "auto")
            server.run("respawn-pane", "-k", "sh", "-c", SHELL, *argv)
            wait_for(lambda number=number: title() == f"night-{number} B 50/100 50 % parked", title)
            if leave:
                server.run(*leave)
            else:
                server.shell = psutil.Process(int(server.run("list-panes", "-F", "#{pane_pid}")))
                server.app().terminate()
            server.shows("ended with")
            wait_for(lambda: title() == "mine", title)
    finally:
        subprocess.run(
            ["tmux", "-S", str(tmp_path / "socket"), "kill-server"], capture_output=True, check=False
        )


def test_in_tmux_sigterm_gives_the_shell_its_terminal_back(tmux: Tmux) -> None:
    tmux.shows("parked", "q leave")
    tmux.app().terminate()
    tmux.shows(f"ended with {128 + signal.SIGTERM}", " icanon", " echo ")
    assert "Traceback" not in tmux.screen()


def test_closing_the_tmux_window_ends_the_app(tmux: Tmux) -> None:
    tmux.shows("parked", "q leave")
    app = tmux.app()
    tmux.run("kill-session")
    wait_for(lambda: not app.is_running() or app.status() == psutil.STATUS_ZOMBIE, lambda: app)


# --- starting -------------------------------------------------------------------------------------------------


def test_the_app_is_imported_without_what_it_does_not_need_yet() -> None:
    torch = ("torch", "transformers", "peft", "accelerate")
    heavy = (*torch, "numpy", "PIL", "plotext", "pydantic", "yaml", "psutil", "duckdb")
    code = f"import sys, cockpit.app; print(*(name for name in {heavy!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
