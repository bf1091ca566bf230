"""Where the MIMIC tables, reports and films lie, and how their tables are read."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from engine.errors import UserError

_MAX_DEPTH = 5
# Folders that hold one entry a patient: nothing is to be found there, and looking takes hours on a full copy.
_PATIENT_FOLDER = re.compile(r"files|p1\d|p1\d{7}|s5\d{7}")


@dataclass(frozen=True, slots=True)
class MimicRoots:
    """jpg: MIMIC-CXR-JPG with its label files. reports: holds files/p10/…/s….txt. hosp: MIMIC-IV's hospital
    tables. ed: MIMIC-IV-ED's tables; None if there are none."""

    jpg: Path
    reports: Path
    hosp: Path
    ed: Path | None


def find_roots(
    source: Path,
    *,
    jpg: Path | None = None,
    reports: Path | None = None,
    hosp: Path | None = None,
    ed: Path | None = None,
) -> MimicRoots:
    """The four trees below `source`, however nested; a tree given by name is not looked for.

    Raises UserError if one is missing (but for `ed`) or there twice.
    """
    if not source.is_dir():
        raise UserError(f"{source}: no such directory")
    folders = list(_folders(source))
    return MimicRoots(
        jpg=jpg or _only("MIMIC-CXR-JPG (*-metadata.csv.gz)", "jpg", source, filter(_has_metadata, folders)),
        reports=reports
        or _only("reports (files/p10/…/s….txt)", "reports", source, filter(_has_reports, folders)),
        hosp=hosp
        or _only("MIMIC-IV hosp (admissions.csv.gz)", "hosp", source, filter(_has_admissions, folders)),
        ed=ed
        or (
            _only("MIMIC-IV-ED", "ed", source, found) if (found := [*filter(_has_edstays, folders)]) else None
        ),
    )


def table(folder: Path, name: str) -> Path:
    """The table's file, `name.csv.gz` or `name.csv`. Raises UserError if neither is there."""
    found = find_table(folder, name)
    if found is None:
        raise UserError(f"{folder}: has neither {name}.csv.gz nor {name}.csv")
    return found


class Tables:
    """CSV tables queried in place: rows stream through, so that a table may be larger than the memory."""

    def __init__(self, scratch: Path) -> None:
        """scratch: a private directory for what does not fit into memory."""
        import duckdb

        self._connection = duckdb.connect(
            ":memory:",
            config={
                "temp_directory": str(scratch),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )

    def query(self, sql: str, **files: Path) -> list[tuple[Any, ...]]:
        """All rows of `sql`, in which `{name}` stands for the table in file `name`, every column text."""
        import duckdb

        try:
            return list(self._connection.execute(self._with_tables(sql, files)).fetchall())
        except duckdb.Error as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(
                f"{', '.join(map(str, files.values()))}: cannot read the table: {reason}"
            ) from error

    def load(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Makes a table of `rows` for later queries."""
        values = list(zip(*rows, strict=True)) or [() for _ in columns]
        unnested = ", ".join(f"unnest(?) AS {column}" for column in columns)
        self._connection.execute(
            f"CREATE OR REPLACE TABLE {name} AS SELECT {unnested}", [list(v) for v in values]
        )

    def close(self) -> None:
        self._connection.close()

    def _with_tables(self, sql: str, files: dict[str, Path]) -> str:
        options = "header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"'"
        readers = {name: f"read_csv({_quoted(path)}, {options})" for name, path in files.items()}
        return sql.format(**readers)


@contextmanager
def open_tables(scratch: Path) -> Iterator[Tables]:
    tables = Tables(scratch)
    try:
        yield tables
    finally:
        tables.close()


def _quoted(path: Path) -> str:
    # Brackets, stars and question marks in a path would be a pattern to DuckDB.
    pattern = re.sub(r"([\[*?])", r"[\1]", str(path))
    return "'" + pattern.replace("'", "''") + "'"


def _folders(source: Path) -> Iterator[Path]:
    for folder, names, _ in os.walk(source, followlinks=True):
        path = Path(folder)
        deep = len(path.relative_to(source).parts) >= _MAX_DEPTH
        names[:] = (
            [] if deep else sorted(n for n in names if not _PATIENT_FOLDER.fullmatch(n) and n[0] != ".")
        )
        yield path


def _only(what: str, option: str, source: Path, folders: Iterable[Path]) -> Path:
    found = list(folders)
    if not found:
        raise UserError(f"{source}: holds no {what}; say where it is with --{option}-root")
    if len(found) > 1:
        places = ", ".join(map(str, found))
        raise UserError(f"{source}: holds {what} more than once ({places}); choose with --{option}-root")
    return found[0]


def find_table(folder: Path, name: str) -> Path | None:
    """The table's file, `name.csv.gz` or `name.csv`; None if neither is there."""
    return next((path for end in (".csv.gz", ".csv") if (path := folder / f"{name}{end}").is_file()), None)


def _has_metadata(folder: Path) -> bool:
    return find_table(folder, "mimic-cxr-2.0.0-metadata") is not None


def _has_admissions(folder: Path) -> bool:
    return find_table(folder, "admissions") is not None


def _has_edstays(folder: Path) -> bool:
    return find_table(folder, "edstays") is not None


def _has_reports(folder: Path) -> bool:
    """Whether one of the first patients' folders holds a report; a tree of films has 65,000 without."""
    patients = islice((folder / "files").glob("p1*/p1*"), 50)
    return any(next(patient.glob("s*.txt"), None) is not None for patient in patients)
