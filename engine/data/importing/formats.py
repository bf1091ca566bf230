"""Records from the files that people have: JSON in any arrangement, tables as text, Parquet."""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from engine.data.importing.delimited import delimited_records
from engine.data.importing.encoding import open_text
from engine.data.importing.json_records import json_records
from engine.data.importing.parquet import parquet_records
from engine.data.importing.records import Record
from engine.errors import UserError

_TEXT_READERS = {
    ".json": json_records,
    ".jsonl": json_records,
    ".ndjson": json_records,
    ".csv": delimited_records,
    ".tsv": delimited_records,
}


def read_records(path: Path) -> Iterator[Record]:
    """The file's records in order; a broken one comes with its problem. Raises UserError for an unreadable file."""
    kind = data_suffix(path)
    try:
        if kind == ".parquet":
            yield from parquet_records(path)
            return
        reader = _TEXT_READERS.get(kind)
        if reader is None:
            raise UserError(
                f"{path}: is neither JSON (.json, .jsonl, .ndjson), a table (.csv, .tsv; all of them also .gz) "
                "nor .parquet"
            )
        with open_text(path) as (file, remark):
            records = reader(path, file)
            for first in records:
                yield replace(first, remarks=(*first.remarks, remark)) if remark else first
                break
            yield from records
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot read the file: {reason}") from error


def data_suffix(path: Path) -> str:
    """The ending that says what is in the file, without .gz; "" where there is none."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return suffixes[-1] if suffixes else ""
