"""A damaged run.db is kept aside, and what can be read of it goes into a new one."""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from engine.runs.store import series
from engine.runs.store.database_files import companions, keep_aside
from engine.runs.store.schema import BROKEN, LONGEST_VALUE, connect_writer, is_damage

log = logging.getLogger("engine")

# Table: its key. Rows are read in the key's order, and past what cannot be read.
_TABLES: dict[str, tuple[str, ...]] = {
    "attempt": ("id",),
    "event": ("id",),
    "sample": ("id",),
    "command": ("id",),
    "progress": ("id",),
}
_JSON = {
    "attempt": ("info",),
    "event": ("data",),
    "sample": ("labels", "labels_reference", "icd", "icd_reference", "scores"),
    "command": ("arguments",),
}
# SQLite keeps text and fractions in a column of whole numbers, too.
_WHOLE = {
    "event": ("attempt",),
    "sample": ("attempt", "stage", "step"),
    "scalar": ("attempt", "step"),
    "scalar_superseded": ("attempt", "step"),
}
_SERIES = ("scalar", "scalar_superseded")
_LAST = 2**62


@dataclass
class Recovered:
    """What became of a damaged database.

    aside: where it lies now. gaps: places that could not be read, each of one row or many.
    """

    aside: Path
    rows: dict[str, int] = field(default_factory=dict)
    gaps: int = 0

    def line(self) -> str:
        """What is kept and where the rest lies, in one line."""
        kept = ", ".join(f"{count:,} {table}" for table, count in self.rows.items() if count) or "nothing"
        missing = f"; {self.gaps} places could not be read" if self.gaps else ""
        return f"run.db was damaged and is kept aside as {self.aside.name}; recovered: {kept}{missing}"


def recover(path: Path) -> Recovered:
    """Put a new database with all that can be read in the place of the damaged one.

    Only for the holder of the run's lock, with no connection of its own open. Every file stays: the damaged
    one is renamed once the new one is whole. Raises `sqlite3.Error` or `OSError` where there is no room for it.
    """
    fresh = path.with_name("run.db.recovering")
    for leftover in (fresh, *companions(fresh)):
        leftover.unlink(missing_ok=True)
    result = Recovered(path)
    with closing(connect_writer(fresh)) as new:
        new.execute("PRAGMA journal_mode = DELETE")  # one file, which one rename puts in place
        new.execute("BEGIN")
        try:
            _copy_all(path, new, result)
        except BROKEN as error:
            if not is_damage(error):
                raise
            result.gaps += 1  # the header or the schema: no row can be reached through them
        new.execute("COMMIT")
    result.aside = keep_aside(path, "damaged")
    result.aside.chmod(0o600)  # a restored copy may have come with any mode
    fresh.rename(path)
    log.error("%s", result.line())
    return result


def finish_interrupted(path: Path) -> None:
    """A recovery that was cut off between its two renames: the new database was whole by then."""
    fresh = path.with_name("run.db.recovering")
    if fresh.exists() and not path.exists():
        fresh.rename(path)
    path.with_name("run.db.restoring").unlink(missing_ok=True)


def _copy_all(path: Path, new: sqlite3.Connection, result: Recovered) -> None:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as old:
        # A page that is whole but belongs elsewhere must not pass for rows.
        old.execute("PRAGMA cell_size_check = 1")
        old.execute("PRAGMA trusted_schema = OFF")
        old.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
        old.text_factory = lambda stored: stored.decode("utf-8", "replace")
        stages = _names(old, new, "stage", ("id", "name", "position", "plan"), result)
        tags = _names(old, new, "tag", ("id", "name"), result)
        for table, key in _TABLES.items():
            _copy(old, new, table, key, (), result)
        for table in _SERIES:
            for stage in stages:
                for tag in tags:
                    _copy(old, new, table, ("step",), (("stage", stage), ("tag", tag)), result)
        _drop_unreadable(new, result)
        for told in ("event", "scalar"):
            # The next attempt's number must be beyond every one that left rows.
            new.execute(f"INSERT OR IGNORE INTO attempt (id, opened) SELECT DISTINCT attempt, 0 FROM {told}")
        for stage in stages:
            for tag in tags:
                series.rebuild(new, stage, tag, 0, _last_step(new, stage, tag))


def _names(
    old: sqlite3.Connection, new: sqlite3.Connection, table: str, columns: Sequence[str], result: Recovered
) -> list[int]:
    """Copy a table of names; returns its ids. Where the table is broken, its index still has the names."""
    if not _is_table(old, table):
        result.gaps += 1
        return []
    try:
        rows = old.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
    except BROKEN as error:
        if not is_damage(error):
            raise
        result.gaps += 1
        rows = [
            (key, name, place, None)[: len(columns)]
            for place, (key, name) in enumerate(_from_index(old, table))
        ]
    marks = ", ".join("?" * len(columns))
    new.executemany(f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)
    return [row[0] for row in rows]


def _from_index(old: sqlite3.Connection, table: str) -> list[tuple[int, str]]:
    try:
        return old.execute(f"SELECT id, name FROM {table} ORDER BY name").fetchall()
    except BROKEN as error:
        if not is_damage(error):
            raise
        return []


def _copy(
    old: sqlite3.Connection,
    new: sqlite3.Connection,
    table: str,
    key: Sequence[str],
    fixed: Sequence[tuple[str, int]],
    result: Recovered,
) -> None:
    columns = _shared_columns(old, new, table) if _is_table(old, table) else []
    if key[0] not in columns:  # what was overwritten is the name of a column
        result.gaps += 1
        return
    named = ", ".join(f'"{column}"' for column in columns)
    place = columns.index(key[0])
    where = "".join(f"{column} = {value} AND " for column, value in fixed)
    query = f'SELECT {named} FROM {table} NOT INDEXED WHERE {where}"{key[0]}" >= ? ORDER BY "{key[0]}"'
    insert = f"INSERT OR IGNORE INTO {table} ({named}) VALUES ({', '.join('?' * len(columns))})"
    before = new.total_changes
    new.executemany(insert, _readable_rows(old, query, place, result))
    result.rows[table] = result.rows.get(table, 0) + new.total_changes - before


def _is_table(old: sqlite3.Connection, name: str) -> bool:
    """Whether rows are stored under the name: a view or a virtual table of a stranger may go on for ever."""
    query = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ? AND rootpage > 0"
    return old.execute(query, (name,)).fetchone() is not None


def _shared_columns(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> list[str]:
    known = {row[1] for row in old.execute(f"PRAGMA table_info({table})")}
    return [row[1] for row in new.execute(f"PRAGMA table_info({table})") if row[1] in known]


def _readable_rows(
    old: sqlite3.Connection, query: str, place: int, result: Recovered
) -> Iterator[tuple[object, ...]]:
    """The rows of `query` (its one value: the least key), past every place where reading fails."""
    position = 0
    while position is not None and position < _LAST:
        try:
            for row in old.execute(query, (position,)):
                yield row
                position = row[place] + 1
            return
        except (*BROKEN, TypeError) as error:  # a broken row may have text for a key
            if isinstance(error, sqlite3.DatabaseError) and not is_damage(error):
                raise
            result.gaps += 1
            position = _next_readable(old, query, position)


def _next_readable(old: sqlite3.Connection, query: str, position: int) -> int:
    """The least key beyond `position` from which reading works again; the last one if there is none."""

    def readable(gap: int) -> bool:
        try:
            old.execute(f"{query} LIMIT 1", (position + gap,)).fetchone()
        except BROKEN as error:
            if not is_damage(error):
                raise
            return False
        return True

    gap = 1
    while not readable(gap):
        gap *= 2
        if position + gap >= _LAST:
            return _LAST
    low = gap // 2
    while gap - low > 1:
        middle = (low + gap) // 2
        low, gap = (low, middle) if readable(middle) else (middle, gap)
    return position + gap


def _drop_unreadable(new: sqlite3.Connection, result: Recovered) -> None:
    """Rows that SQLite can read and nobody else: their JSON is broken, or a number is none."""
    new.execute("UPDATE stage SET plan = NULL WHERE NOT json_valid(plan)")
    for table in _JSON.keys() | _WHOLE.keys():
        flaws = [f"NOT json_valid({column})" for column in _JSON.get(table, ())]
        flaws += [f"typeof({column}) <> 'integer'" for column in _WHOLE.get(table, ())]
        broken = " OR ".join(flaws)
        dropped = new.execute(f"DELETE FROM {table} WHERE {broken}").rowcount
        if dropped:
            result.gaps += dropped
            result.rows[table] = result.rows.get(table, 0) - dropped


def _last_step(new: sqlite3.Connection, stage: int, tag: int) -> int:
    query = "SELECT coalesce(max(step), 0) FROM scalar WHERE stage = ? AND tag = ?"
    return int(new.execute(query, (stage, tag)).fetchone()[0])
