"""Records from a Parquet file, as `datasets` and pandas write them."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.data.importing.records import Record
from engine.errors import UserError
from engine.files.plain_file import open_plain

_ROWS = 1000


def parquet_records(path: Path) -> Iterator[Record]:
    """The file's rows in order. Raises UserError where it is no Parquet file, OSError where it cannot be opened."""
    with open_plain(path, "rb"):
        pass  # a pipe would be waited for
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"},
    )
    try:
        rows = connection.execute("SELECT * FROM read_parquet($1)", [_literal(path)])
        names = [column[0] for column in rows.description or ()]
        number = 0
        while block := rows.fetchmany(_ROWS):
            for row in block:
                number += 1
                fields = {name: _plain(value) for name, value in zip(names, row, strict=True)}
                yield Record(f"{path}:{number}", fields)
    except duckdb.Error as error:
        raise UserError(f"{path}: cannot read the Parquet file: {str(error).splitlines()[0]}") from error
    finally:
        connection.close()


def _literal(path: Path) -> str:
    """The path as DuckDB takes it for this one file: brackets, stars and question marks would be a pattern."""
    return "".join(f"[{letter}]" if letter in "[*?" else letter for letter in str(path))


def _plain(value: Any) -> Any:
    """The value as JSON would have it."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date) else value
