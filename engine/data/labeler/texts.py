"""Texts to label, from a table (CSV, TSV, JSON lines; gzip or not) or a file with one text a line."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.data.sections.reading import decode
from engine.errors import UserError
from engine.files.plain_file import open_plain

_LONGEST_CELL = 16_000_000
#: How programs write that a cell has no value.
_MISSING = frozenset({"", "nan", "none", "null", "<na>", "n/a"})
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True, slots=True)
class Text:
    """row: counted from 1, without the table's head. text: "" where the row has none."""

    row: int
    text: str


def read_texts(path: Path, columns: Sequence[str]) -> tuple[list[Text], tuple[str, ...]]:
    """The texts in order, and what was odd about the file.

    columns: which hold the text; several are joined by a blank line. None is needed where there is only one.
    Raises UserError with file, row and reason.
    """
    suffix = next((part.lower() for part in reversed(path.suffixes) if part.lower() != ".gz"), "")
    readers = {".csv": _table, ".tsv": _table, ".jsonl": _json_lines, ".ndjson": _json_lines, ".txt": _lines}
    if suffix not in readers:
        raise UserError(f"{path}: is neither .csv, .tsv, .jsonl nor .txt (or such a file with .gz)")
    if suffix == ".txt" and columns:
        raise UserError(f"{path}: a .txt file has one text a line and no columns: leave --text-column out")
    text, reasons = _content(path)
    rows = readers[suffix](path, suffix, text.removeprefix("\ufeff"), columns)
    return [Text(number, text) for number, text in enumerate(rows, start=1)], reasons


def _content(path: Path) -> tuple[str, tuple[str, ...]]:
    try:
        with open_plain(path, "rb") as file:
            if path.suffix.lower() != ".gz":
                return decode(file.read())
            with gzip.open(file) as unpacked:
                return decode(unpacked.read())
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"{path}: cannot read the file: {getattr(error, 'strerror', None) or error}"
        ) from error


def _table(path: Path, suffix: str, text: str, columns: Sequence[str]) -> Iterator[str]:
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=_DELIMITERS[suffix])
    try:
        names = _chosen(path, list(reader.fieldnames or ()), columns)
        for number, fields in enumerate(reader, start=1):
            if None in fields:
                raise UserError(f"{path}: row {number}: more cells than the head has")
            yield _joined(fields[name] for name in names)
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: broken table: {error}") from error


def _json_lines(path: Path, suffix: str, text: str, columns: Sequence[str]) -> Iterator[str]:
    names: list[str] | None = None
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            fields = json.loads(content)
        except (json.JSONDecodeError, RecursionError) as error:
            raise UserError(f"{path}:{line}: broken JSON: {error}") from error
        if not isinstance(fields, dict):
            raise UserError(f"{path}:{line}: is not a JSON object")
        if names is None:
            names = _chosen(path, list(fields), columns)
        yield _joined(fields.get(name) for name in names)


def _lines(path: Path, suffix: str, text: str, columns: Sequence[str]) -> Iterator[str]:
    yield from text.removesuffix("\n").split("\n")


def _chosen(path: Path, known: list[str], columns: Sequence[str]) -> list[str]:
    if not columns and len(known) == 1:
        return known
    if not columns:
        raise UserError(f"{path}: which column holds the text? --text-column, one of: {', '.join(known)}")
    if missing := [column for column in columns if column not in known]:
        raise UserError(f"{path}: has no column {', '.join(missing)}; it has: {', '.join(known)}")
    return list(columns)


def _joined(values: Iterator[Any]) -> str:
    texts = (str(value) for value in values if value is not None)
    return "\n\n".join(text for text in texts if text.strip().lower() not in _MISSING)
