"""What the record of an installation says of a file: whether it still is what was installed."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.files.plain_file import open_plain


@dataclass(slots=True)
class Records:
    """The RECORD files of some site folders, each read when it is first asked for."""

    places: list[str]
    _rows: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)

    def changed(self, files: Iterable[str]) -> dict[str, str]:
        """Those of the files that are not as recorded, with what differs. What is not recorded is not judged."""
        found = {}
        for file in files:
            place = next((one for one in self.places if file.startswith(one + os.sep)), None)
            recorded = self._recorded(place).get(os.path.relpath(file, place)) if place else None
            said = _difference(file, *recorded) if recorded else None
            if said:
                found[file] = said
        return found

    def _recorded(self, place: str) -> dict[str, tuple[str, str]]:
        if place not in self._rows:
            self._rows[place] = dict(_rows(place))
        return self._rows[place]


def _rows(place: str) -> Iterable[tuple[str, tuple[str, str]]]:
    for name in os.listdir(place):
        record = os.path.join(place, name, "RECORD")
        if name.endswith(".dist-info") and os.path.isfile(record):
            with open_plain(record, newline="", errors="replace") as file:
                yield from ((row[0], (row[1], row[2])) for row in csv.reader(file) if len(row) == 3)


def _difference(file: str, digest: str, size: str) -> str | None:
    algorithm, _, wanted = digest.partition("=")
    if algorithm != "sha256":
        return None
    try:
        with open_plain(file, "rb") as opened:
            content: bytes = opened.read()
    except OSError:
        return None
    if size.isdigit() and len(content) != int(size):
        return f"{len(content):,} bytes, {int(size):,} when it was installed"
    real = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return None if real == wanted else "another content than when it was installed"
