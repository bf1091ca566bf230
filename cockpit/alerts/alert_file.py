"""The alerts of a run as all cockpits share them: a file of lines in the run directory.

A line tells an alert that a cockpit has seen, or that one was acknowledged. Lines are only ever appended, whole, so
that several cockpits may write at once. What cannot be written (the disk may be full) is kept and tried again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cockpit.alerts.alert import Alert
from engine.files.json_file import parsed_json
from engine.files.plain_file import open_descriptor, open_plain

FILE = "alerts.jsonl"


class AlertFile:
    """Alerts by key, with those of other cockpits."""

    def __init__(self, root: Path) -> None:
        self._path = root / FILE
        self._stamp: tuple[int, int] | None = None
        self._lines: list[dict[str, Any]] = []
        self._unwritten: list[dict[str, Any]] = []

    def alerts(self, seen: Iterable[Alert]) -> tuple[Alert, ...]:
        """What is in the file and what was seen now, oldest first; the first who told a thing is believed."""
        self._write()
        self._read()
        known: dict[str, Alert] = {}
        acknowledged: dict[str, float] = {}
        for line in (*self._lines, *self._unwritten):
            if "acknowledged" in line:
                acknowledged.setdefault(line["key"], line["acknowledged"])
            else:
                known.setdefault(line["key"], Alert(**line))
        for alert in seen:
            known.setdefault(alert.key, alert)
        told = (replace(alert, acknowledged=acknowledged.get(alert.key)) for alert in known.values())
        return tuple(sorted(told, key=lambda alert: (alert.time, alert.key)))

    def tell(self, alerts: Iterable[Alert]) -> None:
        """Put alerts down for the others."""
        for alert in alerts:
            line = asdict(alert)
            del line["acknowledged"]
            self._unwritten.append(line)
        self._write()

    def acknowledge(self, keys: Iterable[str], now: float) -> None:
        """These were seen by somebody."""
        self._unwritten += [{"key": key, "acknowledged": now} for key in keys]
        self._write()

    def _write(self) -> None:
        if not self._unwritten:
            return
        text = "".join(json.dumps(line) + "\n" for line in self._unwritten)
        try:
            file = open_descriptor(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, links=False)
        except OSError:
            return  # kept in memory until it can be written: the alert itself may be that the disk is full
        try:
            written = os.write(file, text.encode("ascii"))
        except OSError:
            return
        finally:
            os.close(file)
        if written == len(text):
            self._unwritten.clear()

    def _read(self) -> None:
        try:
            about = self._path.stat()
            stamp = (about.st_mtime_ns, about.st_size)
            if stamp != self._stamp:
                with open_plain(self._path, "rb", links=False) as file:
                    self._lines = [line for line in map(_line, file.read().split(b"\n")) if line]
                self._stamp = stamp
        except OSError:
            self._lines, self._stamp = [], None


def _line(text: bytes) -> dict[str, Any] | None:
    """A whole line of ours; None for anything else, such as a line cut off by a full disk."""
    try:
        line = parsed_json(text)
    except ValueError:
        return None
    if not isinstance(line, dict) or not isinstance(line.get("key"), str):
        return None
    if line.keys() == {"key", "acknowledged"}:
        return line if isinstance(line["acknowledged"], int | float) else None
    words = all(isinstance(line.get(name), str) for name in ("level", "kind", "text"))
    whole = line.keys() == {"key", "time", "level", "kind", "text"}
    return line if whole and words and isinstance(line["time"], int | float) else None
