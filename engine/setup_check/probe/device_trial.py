"""The trial of the device, as the cockpit sees it: a child that may crash or hang, and the findings it sends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.child import SILENCE, lines
from engine.setup_check.finding import SEEN, Finding, Group
from engine.setup_check.probe.framing import answer, framed

ID = "device-trial"

#: Groups in which a fail makes a trial pointless: it could not even begin.
RESTS_ON: frozenset[Group] = frozenset({"interpreter", "packages", "imports"})


@dataclass(frozen=True, slots=True)
class Part:
    """What is under way: the `number`th part of `total`."""

    text: str
    number: int
    total: int


def try_device(runs: Path, device: str = "auto", silence: float = SILENCE) -> Iterator[Finding | Part]:
    """Try the device that this interpreter trains on; rates are kept in `runs`. Closing the iterator ends the trial.

    A crash in a graphics library ends a process without an exception, so that is one of the findings.
    """
    command = [sys.executable, "-P", "-m", "engine", "device", "--device", device, "--runs", str(runs)]
    return listen(command, silence)


def listen(command: list[str], silence: float) -> Iterator[Finding | Part]:
    """What the child `command` says, as it says it, and how it ended if not well."""
    part: Part | None = None
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            assert child.stdout is not None
            for line in lines(child.stdout, silence):
                if line is None:
                    yield _hangs(part, silence)
                    return
                said = said_by(line)
                part = said if isinstance(said, Part) else part
                if said is not None:
                    yield said
            if child.wait() != 0:
                errors.seek(0)
                yield _ended(child.returncode, part, errors.read().decode("utf-8", "replace"))
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()


def not_tried() -> Finding:
    """Instead of a trial, where the packages that it takes do not work."""
    return Finding(
        id=ID,
        group="device",
        status="info",
        title="The device was not tried: first fix what fails above",
        source=SEEN,
    )


def as_line(said: Finding | Part) -> str:
    """One marked line of JSON for `said_by`."""
    if isinstance(said, Finding):
        return framed(json.dumps({"finding": said.as_json()}))
    return framed(json.dumps({"part": [said.text, said.number, said.total]}))


def said_by(line: str) -> Finding | Part | None:
    """What a line of the child means; None for one that a library printed."""
    said = answer(line)
    try:
        message: Any = json.loads(said) if said is not None else None
    except json.JSONDecodeError:  # the child was ended in the middle of it
        return None
    if not isinstance(message, dict):
        return None
    if "part" in message:
        return Part(*message["part"])
    if "finding" not in message:
        return None
    given = message["finding"]
    fix = tuple(tuple(command) for command in given["fix"])
    return Finding(**{**given, "consequences": tuple(given["consequences"]), "fix": fix})


def _hangs(part: Part | None, silence: float) -> Finding:
    return Finding(
        id=ID,
        group="device",
        status="fail",
        title=f"The device gave no answer for {silence:.0f} s",
        found=_where(part),
        expected="a part of the trial takes seconds",
        why="A run would stand still in the same place.",
        source=SEEN,
    )


def _ended(code: int, part: Part | None, errors: str) -> Finding:
    lines = [line for line in errors.splitlines() if line.strip()]
    how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return Finding(
        id=ID,
        group="device",
        status="fail",
        title=f"The trial of the device {how}",
        found=f"{_where(part)}: {lines[-1].removeprefix('cxr-cockpit: ')}" if lines else _where(part),
        expected="a trial that ends by itself",
        why="No Python code can catch a signal: a run would end in the same place." if code < 0 else "",
        source=SEEN,
    )


def _where(part: Part | None) -> str:
    return f"in {part.text}" if part else "before its first part"
