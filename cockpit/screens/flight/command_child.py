"""A command of the command line, run from the app: what it prints is shown when it has ended."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence

from textual.message import Message


class CommandEnded(Message):
    """What the command has printed, and on standard error where it did not go well."""

    def __init__(self, title: str, well: bool, text: str) -> None:
        super().__init__()
        self.title = title
        self.well = well
        self.text = text


def run_command(title: str, words: Sequence[str], post: Callable[[Message], object]) -> None:
    """Run `cxr-cockpit WORDS` beside the app; `CommandEnded` follows. It goes on where the app is left."""
    # Files without a name, not pipes: a command whose app is gone must not fail by that.
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "cockpit.cli", *words],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        start_new_session=True,
    )

    def wait() -> None:
        with out, err:
            well = child.wait() == 0
            told = out if well else err
            told.seek(0)
            post(CommandEnded(title, well, told.read().decode(errors="replace")))

    threading.Thread(target=wait, name=title, daemon=True).start()
