"""Hang-up and SIGTERM end the app cleanly and soon, even while its terminal takes nothing any more.

Textual by itself dies of them without putting the terminal back. An ignored hang-up would leave it spinning
on a dead terminal, so none is ever ignored.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import termios
import threading
from types import FrameType
from typing import Any

from textual.app import App

PATIENCE = 0.8
"""Seconds for the clean way out. A stalled SSH link blocks the event loop, and then there is no clean way."""
_NUMBERS = (signal.SIGHUP, signal.SIGTERM)
_PLAIN_TERMINAL = (
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[<u\x1b[?25h\x1b[?1049l\x1b[0m"
    b"\x1b[23;2t"
)


def leave_on_signals(app: App[Any], loop: asyncio.AbstractEventLoop) -> None:
    """From now on both signals make `app` exit with 128 + the signal's number."""
    settings = _terminal_settings()

    def leave(number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=_leave_by_force, args=(number, settings), daemon=True).start()
        with contextlib.suppress(RuntimeError):  # the loop is closed: the app is already leaving
            loop.call_soon_threadsafe(lambda: app.exit(return_code=128 + number))

    for number in _NUMBERS:
        # Not loop.add_signal_handler: its callback would wait for the loop, which a stalled terminal blocks.
        signal.signal(number, leave)


def _terminal_settings() -> list[Any] | None:
    try:
        return termios.tcgetattr(sys.__stdin__.fileno()) if sys.__stdin__ else None
    except (termios.error, OSError, ValueError):
        return None


def _leave_by_force(number: int, settings: list[Any] | None) -> None:
    """Wait for the clean way out, then put the terminal back as far as it takes it and go."""
    threading.Event().wait(PATIENCE)
    with contextlib.suppress(OSError, termios.error):
        os.set_blocking(1, False)
        os.write(1, _PLAIN_TERMINAL)
    if settings is not None:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(0, termios.TCSANOW, settings)
    os._exit(128 + number)
