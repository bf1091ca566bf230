"""Records from a table as text: commas, tabs, or whatever divides the header's cells."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from engine.data.importing.records import Record
from engine.errors import UserError

_LONGEST_CELL = 16_000_000
_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
_EXCEL = re.compile(r"sep=(.)\s*")


def delimited_records(path: Path, file: IO[str]) -> Iterator[Record]:
    """The table's rows by its header, which names each column once. Raises UserError for broken quoting.

    The delimiter is the one that the file's name promises, unless the header has only one cell by it and several by
    another one; that is told with the first record.
    """
    csv.field_size_limit(_LONGEST_CELL)
    promised = "\t" if ".tsv" in (suffix.lower() for suffix in path.suffixes) else ","
    begins, lines_before = 0, 0
    first = file.readline()
    file.seek(0)
    if excel := _EXCEL.fullmatch(first):
        file.readline()
        lines_before, delimiter = 1, excel[1]
    else:
        delimiter = _delimiter(first, promised)
    # strict: without it a quote that is never closed swallows the rest of the file into one cell.
    rows = csv.reader(file, delimiter=delimiter, strict=True, skipinitialspace=True)
    remarks: tuple[str, ...] = ()
    if delimiter != promised:
        divided = _NAMES.get(delimiter, repr(delimiter))
        remarks = (f"delimiter: {divided} divide the cells, not {_NAMES[promised]} as the name promises",)
    try:
        header = next(rows, [])
        _refuse_twins(path, header)
        while True:
            begins = rows.line_num + lines_before + 1
            row = next(rows, None)
            if row is None:
                return
            if not row:
                continue
            where = f"{path}:{begins}"
            if len(row) == len(header):
                yield Record(where, dict(zip(header, row, strict=True)), remarks=remarks)
            else:
                kind = "more" if len(row) > len(header) else "fewer"
                yield Record(where, None, f"{kind} cells than the header has", remarks)
            remarks = ()
    except csv.Error as error:
        raise UserError(f"{path}:{begins}: broken CSV: {_words(error)}") from error


def _delimiter(header: str, promised: str) -> str:
    def cells(delimiter: str) -> int:
        try:
            return len(next(csv.reader([header], delimiter=delimiter), []))
        except csv.Error:
            return 0

    if cells(promised) > 1:
        return promised
    best = max(_NAMES, key=cells)
    return best if cells(best) > 1 else promised


def _refuse_twins(path: Path, header: list[str]) -> None:
    seen: set[str] = set()
    for name in header:
        if name in seen:
            raise UserError(f"{path}:1: the column {name[:60]!r} stands twice; rename or remove one")
        seen.add(name)


def _words(error: csv.Error) -> str:
    text = str(error)
    if "expected after" in text or "unexpected end" in text:
        return f"{text}; a quote within a quoted cell is written twice, and every one is closed"
    return text
