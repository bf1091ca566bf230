"""All findings as a text file that can be handed to a colleague."""

from __future__ import annotations

import os
import time
from pathlib import Path

from cockpit.views.findings import finding_block
from cockpit.views.setup_state import SetupState
from engine.errors import UserError


def report_text(state: SetupState, now: float) -> str:
    """Every finding in full, worst first."""
    lines = [
        f"setup check of {state.python}",
        f"configuration {state.config}" if state.config else "no configuration",
        f"written {time.strftime('%Y-%m-%d %H:%M %z', time.localtime(now))}",
        f"{len(state.fails)} fail, {state.count('warn')} warn, {state.count('info')} info, {state.count('ok')} ok",
    ]
    for finding in state.findings:
        lines += ["", *finding_block(finding)]
    return "\n".join(lines) + "\n"


def write_report(path: Path, text: str) -> None:
    """A new file with mode 0600. UserError if there is one of that name, or if it cannot be written."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(f"{path} is there already: choose another name") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
