"""The real app on a pseudo-terminal of its own, whose every byte is counted."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

import psutil

from engine.errors import UserError

PATIENCE = 60.0
"""Seconds for what must happen at all, on however slow a machine."""
QUIET_SECONDS = 0.15
"""Without a byte for so long, the app has drawn what it had to."""

REDRAWS = 20
"""Enough full screens to fill whatever lies between the app and a terminal that takes nothing."""


class Terminal:
    """A program on a pseudo-terminal; a thread reads what it sends, as a terminal would."""

    def __init__(self, argv: Sequence[str], columns: int = 120, rows: int = 40) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        # What a session over SSH has: 256 colours, no promise of more.
        environment = {key: value for key, value in os.environ.items() if key not in ("COLORTERM", "TMUX")}
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env=environment | {"TERM": "xterm-256color"},
        )
        os.close(slave)
        self._about = psutil.Process(self.process.pid)
        self._output = bytearray()
        self.sent = 0
        self.first_byte: float | None = None
        self._last_byte = self.began
        self._stalled = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, words: str) -> float:
        """Wait until the words were sent; seconds from the start. UserError if they never are."""
        wanted = words.encode()
        self._wait(lambda: wanted in self._output, f"{words!r} on the screen")
        return time.monotonic() - self.began

    def press(self, key: str) -> float:
        """Press a key; seconds until the last byte of what it drew was there."""
        before, pressed = self.sent, time.monotonic()
        os.write(self._master, key.encode())
        self._wait(lambda: self.sent > before, f"anything after {key!r}")
        self.settle()
        return self._last_byte - pressed

    def seconds_until(self, key: str, words: str) -> float:
        """Press a key; seconds until the words were sent."""
        self._output.clear()
        pressed = time.monotonic()
        os.write(self._master, key.encode())
        self.until(words)
        return time.monotonic() - pressed

    def until_more(self, sent: int) -> None:
        """Wait until more bytes than `sent` have come."""
        self._wait(lambda: self.sent > sent, "a new step")

    def settle(self) -> None:
        """Wait until nothing has come for a moment."""
        self._wait(lambda: time.monotonic() - self._last_byte > QUIET_SECONDS, "a moment of silence")

    def stall(self) -> None:
        """Take nothing any more, as a hung link does, and have the app draw until it notices."""
        self._stalled.set()
        for _ in range(REDRAWS):
            for rows in (41, 40):
                fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 120, 0, 0))
                self.process.send_signal(signal.SIGWINCH)
                time.sleep(0.02)

    def seconds_to_end(self, number: signal.Signals) -> float:
        """Send a signal; seconds until the app has ended. UserError if it does not."""
        sent = time.monotonic()
        self.process.send_signal(number)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise UserError(f"the app did not end {PATIENCE:.0f} s after {number.name}") from None
        return time.monotonic() - sent

    def processor_seconds(self) -> float:
        """Processor time that the app has used so far."""
        times = self._about.cpu_times()
        return times.user + times.system

    def resident_bytes(self) -> int:
        return int(self._about.memory_info().rss)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        while self.process.poll() is None and not self._stalled.is_set():
            try:
                if not select.select([self._master], [], [], 0.1)[0]:
                    continue
                piece = os.read(self._master, 65536)
            except (OSError, ValueError):  # closed, from either side
                return
            self._last_byte = time.monotonic()
            if self.first_byte is None:
                self.first_byte = self._last_byte - self.began
            self.sent += len(piece)
            self._output = (self._output + piece)[-1_000_000:]

    def _wait(self, seen: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not seen():
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = bytes(self._output[-300:]).decode(errors="replace")
                raise UserError(f"the app did not show {what}; its last words: {said!r}")
            time.sleep(0.002)
