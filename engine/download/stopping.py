"""Ending a download in good order, and what is said of it."""

import signal
from pathlib import Path
from types import FrameType
from typing import NoReturn

from engine.download.verified import NO_SPACE


class Stopped(BaseException):
    """Somebody asked the download to end."""


def stop_on_signals() -> None:
    """From here on SIGTERM and SIGINT end the download in good order."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise Stopped


def ending(error: Exception, directory: Path) -> str:
    """Why the download ended, and what to do."""
    if isinstance(error, OSError):
        if error.errno in NO_SPACE:
            return f"{directory}: the disk is full; make room, then give the same command again: it goes on from here"
        return f"{error.filename or directory}: {error.strerror or error}"
    return f"{error}; give the same command again: it goes on from here"
