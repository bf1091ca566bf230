"""Records from the files that people have: JSON, JSON lines or CSV, whatever their fields are called."""

import csv
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from engine.errors import UserError
from engine.files.plain_file import open_plain

_LONGEST_CELL = 16_000_000
_SPLIT_KEYS = frozenset({"train", "training", "val", "valid", "validate", "validation", "dev", "test"})


@dataclass(frozen=True, slots=True)
class Record:
    """where: file and line or position. fields: as they stand; None where the line is none, `problem` says why."""

    where: str
    fields: dict[str, Any] | None
    problem: str = ""


def read_records(path: Path) -> Iterator[Record]:
    """The file's records in order; a broken one comes with its problem. Raises UserError for an unreadable file."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    readers = {".json": _json, ".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv}
    reader = readers.get(suffixes[-1] if suffixes else "")
    if reader is None:
        raise UserError(f"{path}: is neither .json, .jsonl nor .csv")
    try:
        with _open(path) as file:
            yield from reader(path, file)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 (byte {error.start})") from error
    except (OSError, EOFError) as error:
        raise UserError(
            f"{path}: cannot read the file: {getattr(error, 'strerror', None) or error}"
        ) from error


@contextmanager
def _open(path: Path) -> Iterator[IO[str]]:
    # utf-8-sig: spreadsheets write a byte order mark.
    if path.suffix.lower() == ".gz":
        with (
            open_plain(path, "rb") as packed,
            gzip.open(packed, "rt", encoding="utf-8-sig", newline="") as file,
        ):
            yield file
    else:
        with open_plain(path, encoding="utf-8-sig", newline="") as file:
            yield file


def _json(path: Path, file: IO[str]) -> Iterator[Record]:
    text = file.read()
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        if text.lstrip().startswith("{") and "\n" in text.strip():
            # JSON lines under the name of JSON.
            yield from _numbered_lines(path, text.splitlines())
            return
        raise UserError(f"{path}: broken JSON: {error}") from error
    if isinstance(content, list):
        yield from (_record(f"{path}[{n}]", fields) for n, fields in enumerate(content))
        return
    lists = {k: v for k, v in content.items() if isinstance(v, list)} if isinstance(content, dict) else {}
    if len(lists) == 1 or (lists and lists.keys() <= _SPLIT_KEYS):
        for key, items in lists.items():
            extra = {"split": key} if key in _SPLIT_KEYS else {}
            yield from (_record(f"{path}:{key}[{n}]", fields, extra) for n, fields in enumerate(items))
        return
    raise UserError(f"{path}: holds no list of records")


def _json_lines(path: Path, file: IO[str]) -> Iterator[Record]:
    yield from _numbered_lines(path, file)


def _numbered_lines(path: Path, lines: Any) -> Iterator[Record]:
    for number, line in enumerate(lines, start=1):
        if line.isspace() or not line:
            continue
        where = f"{path}:{number}"
        try:
            yield _record(where, json.loads(line))
        except (json.JSONDecodeError, RecursionError):
            yield Record(where, None, "broken JSON")


def _csv(path: Path, file: IO[str]) -> Iterator[Record]:
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.DictReader(file)
    try:
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if None in row:
                yield Record(where, None, "more cells than the header has")
            else:
                yield Record(where, {name: value for name, value in row.items() if value not in (None, "")})
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: broken CSV: {error}") from error


def _record(where: str, fields: Any, extra: dict[str, str] | None = None) -> Record:
    if not isinstance(fields, dict):
        return Record(where, None, "is not a JSON object")
    return Record(where, {**(extra or {}), **fields})
