"""CSV tables queried in place: rows stream through, so that a table may be larger than the memory."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from engine.data.mimic.cells import MACROS, Kind, as_published, day_goes_first, numeric_dates, parsed
from engine.errors import UserError
from engine.files.plain_file import open_plain

#: DuckDB's own memory, in which it joins and sorts; what does not fit goes to scratch.
MEMORY = "800MB"
_THREADS = 4
_LOOKED_AT = 200  # rows from which the form of a column's dates is known
_BATCH = 5_000
# Marks an error of ours among DuckDB's.
_OURS = "cxr-refused:"


class Tables:
    """One private database: tables of ours, and views of CSV files that read them anew each time."""

    def __init__(self, scratch: Path) -> None:
        """scratch: a private directory for what does not fit into memory."""
        import duckdb

        scratch.mkdir(mode=0o700, exist_ok=True)
        self._connection = duckdb.connect(
            str(scratch / "tables.duckdb"),
            config={
                "temp_directory": str(scratch / "spilled"),
                "memory_limit": MEMORY,
                "threads": str(_THREADS),
                "preserve_insertion_order": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )
        for macro in MACROS:
            self._connection.execute(macro)
        self._files: dict[str, Path] = {}

    def view(
        self, name: str, path: Path, columns: Mapping[str, Kind], optional: Iterable[str] = ()
    ) -> frozenset[str]:
        """Makes `name` stand for the table in the file, with these columns, blank cells NULL.

        optional: columns that are NULL where the file lacks them. Returns those that it has. Raises UserError with
        file and column where one is missing; a cell that is not of its kind does so when it is read.
        """
        header, rows = _first_rows(path)
        places = {column: _place(column, header) for column in columns}
        missing = [
            column for column, place in places.items() if place is None and column not in set(optional)
        ]
        if missing:
            raise UserError(
                f"{path}: has no column {', '.join(missing)}{_separator_hint(header)} "
                f"(it has {', '.join(header[:30])})"
            )
        self._files[name] = path
        names = [f"c{number}" for number in range(len(header))]
        texts = dict.fromkeys(names, "VARCHAR")
        source = f"read_csv({_quoted(path)}, {_OPTIONS}, columns = {texts})"
        selected = []
        for column, kind in columns.items():
            place = places[column]
            if place is None:
                selected.append(f'NULL::{_TYPES[kind]} AS "{column}"')
                continue
            cell = f"blank({names[place]})"
            if kind is Kind.TEXT:
                selected.append(f'{cell} AS "{column}"')
                continue
            form = None
            if kind is Kind.TIME and numeric_dates(row[place] for row in rows if len(row) > place):
                form = self._day_first(source, names[place], path, column)
            refusal = f"{_OURS}{path}: column {column}: cannot read ".replace("'", "''")
            wanted = f"''', which should be {kind.value}'"
            raw = names[place]
            usual, meaning = as_published(kind, raw)
            selected.append(
                f"CASE WHEN {raw} IS NULL THEN NULL WHEN {usual} THEN {meaning} "
                f"WHEN {cell} IS NULL THEN NULL ELSE coalesce({parsed(kind, cell, form)}, "
                f"error('{refusal}''' || left({cell}, 40) || {wanted})) END AS \"{column}\""
            )
        self.run(f'CREATE OR REPLACE VIEW "{name}" AS SELECT {", ".join(selected)} FROM {source}', name)
        return frozenset(column for column, place in places.items() if place is not None)

    def run(self, sql: str, *names: str) -> None:
        """Executes a statement. names: the views that it reads, for the message of the UserError that it may raise."""
        with self._errors(names):
            self._connection.execute(sql)

    def rows(self, sql: str, *names: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, a few thousand in memory at a time; several may be open at once."""
        cursor = self._connection.cursor()
        with self._errors(names):
            cursor.execute(sql)
        while True:
            with self._errors(names):
                batch = cursor.fetchmany(_BATCH)
            if not batch:
                cursor.close()
                return
            yield from batch

    def one(self, sql: str, *names: str) -> tuple[Any, ...]:
        """The only row of a query."""
        (row,) = self.rows(sql, *names)
        return row

    def load(self, name: str, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> None:
        """Makes a table of `rows`; columns: their SQL types by name."""
        self._connection.execute(
            f"CREATE OR REPLACE TABLE {name} ({', '.join(f'{column} {kind}' for column, kind in columns.items())})"
        )
        unnested = ", ".join(f"unnest(?::{kind}[])" for kind in columns.values())
        remaining = iter(rows)
        while batch := list(islice(remaining, _BATCH)):
            values = [list(column) for column in zip(*batch, strict=True)]
            self._connection.execute(f"INSERT INTO {name} SELECT {unnested}", values)

    def close(self) -> None:
        self._connection.close()

    def _day_first(self, source: str, column: str, path: Path, name: str) -> bool:
        """Whether the days of the column's numeric dates stand before the months. Raises UserError if none can say."""
        date = "^[0-9]+[./-][0-9]+[./-][0-9]{4}"
        first, second, dots = self.one(
            f"SELECT max(TRY_CAST(regexp_extract({column}, '^([0-9]+)', 1) AS INT)), "
            f"max(TRY_CAST(regexp_extract({column}, '^[0-9]+[./-]([0-9]+)', 1) AS INT)), "
            f"count(*) FILTER (regexp_matches({column}, '^[0-9]+[.]')) "
            f"FROM {source} WHERE regexp_matches({column}, '{date}')"
        )
        form = day_goes_first(first, second, dots > 0)
        if form is None:
            raise UserError(
                f"{path}: column {name}: in dates such as 1/2/2150 it is not known whether the day or the month "
                "comes first; write them as 2150-01-02 00:00:00"
            )
        return form

    @contextmanager
    def _errors(self, names: Sequence[str]) -> Iterator[None]:
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            text = str(error)
            if _OURS in text:
                raise UserError(text.split(_OURS, 1)[1].strip().splitlines()[0]) from error
            files = ", ".join(str(self._files[name]) for name in names if name in self._files)
            if isinstance(error, duckdb.OutOfMemoryException):
                raise UserError(
                    f"{files or 'scratch'}: memory or scratch space ran out: {_reason(text)}"
                ) from error
            raise UserError(f"{files or 'scratch'}: cannot read the table: {_reason(text)}") from error


@contextmanager
def open_tables(scratch: Path) -> Iterator[Tables]:
    tables = Tables(scratch)
    try:
        yield tables
    finally:
        tables.close()


_OPTIONS = (
    "auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', max_line_size = 1000000"
)
_TYPES = {Kind.TEXT: "VARCHAR", Kind.ID: "BIGINT", Kind.TIME: "TIMESTAMP", Kind.LABEL: "INT"}


def _first_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header, and some rows. Raises UserError if the file cannot be read."""
    try:
        with open_plain(path, "rb") as raw, _unpacked(raw, path) as file:
            reader = csv.reader(io.TextIOWrapper(file, "utf-8-sig", newline=""))
            header, *rows = islice(reader, _LOOKED_AT + 1)
    except ValueError as error:
        reason = "is empty" if isinstance(error, ValueError) and "unpack" in str(error) else "is not UTF-8"
        raise UserError(f"{path}: cannot read the table: {reason}") from error
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise UserError(
            f"{path}: cannot read the table: {getattr(error, 'strerror', None) or error}"
        ) from error
    return [name.strip() for name in header], rows


def _unpacked(raw: IO[bytes], path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(raw)) if path.suffix == ".gz" else raw


def _place(column: str, header: Sequence[str]) -> int | None:
    wanted = column.casefold()
    return next((place for place, name in enumerate(header) if name.casefold() == wanted), None)


def _separator_hint(header: Sequence[str]) -> str:
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and separator in header[0]:
            return f"; its columns are separated by {name}, save it with commas"
    return ""


def _reason(text: str) -> str:
    """DuckDB's complaint in one line, without its advice on options of its own."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    reason = re.sub(r"^[A-Za-z ]*Error: ", "", lines[0])
    return next((line for line in lines[1:] if "LINE" not in line and reason.endswith(":")), reason)


def _quoted(path: Path) -> str:
    # Brackets, stars and question marks in a path would be a pattern to DuckDB.
    pattern = re.sub(r"([\[*?])", r"[\1]", str(path))
    return "'" + pattern.replace("'", "''") + "'"
