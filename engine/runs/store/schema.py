"""The tables of run.db, their versions, and connections to them."""

import errno
import functools
import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from engine.errors import UserError
from engine.files.plain_file import is_plain, kind_of
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock, lock_holder

# Each entry takes a database from the version of its index to the next. Never edit one that was released.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE attempt (
            id INTEGER PRIMARY KEY, opened REAL NOT NULL, begun REAL, start_stage INTEGER, start_step INTEGER,
            info TEXT NOT NULL DEFAULT '{}')""",
        """CREATE TABLE stage (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, position INTEGER NOT NULL, plan TEXT)""",
        "CREATE TABLE tag (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
        # Only the rows that count. Without rowid the primary key is the covering index.
        """CREATE TABLE scalar (
            stage INTEGER NOT NULL, tag INTEGER NOT NULL, step INTEGER NOT NULL, attempt INTEGER NOT NULL,
            wall_time REAL NOT NULL, value REAL, PRIMARY KEY (stage, tag, step)) WITHOUT ROWID""",
        # What a later attempt went over again.
        """CREATE TABLE scalar_superseded (
            stage INTEGER NOT NULL, tag INTEGER NOT NULL, step INTEGER NOT NULL, attempt INTEGER NOT NULL,
            wall_time REAL NOT NULL, value REAL, PRIMARY KEY (stage, tag, step, attempt)) WITHOUT ROWID""",
        # Bucket b of level l sums up the steps b * 16**l … (b + 1) * 16**l - 1 of `scalar`.
        """CREATE TABLE rollup (
            stage INTEGER NOT NULL, tag INTEGER NOT NULL, level INTEGER NOT NULL, bucket INTEGER NOT NULL,
            step_lo INTEGER NOT NULL, step_hi INTEGER NOT NULL, finite INTEGER NOT NULL,
            low REAL, high REAL, total REAL NOT NULL,
            PRIMARY KEY (stage, tag, level, bucket)) WITHOUT ROWID""",
        """CREATE TABLE event (
            id INTEGER PRIMARY KEY AUTOINCREMENT, attempt INTEGER NOT NULL, wall_time REAL NOT NULL,
            kind TEXT NOT NULL, level TEXT NOT NULL, stage INTEGER, step INTEGER, name TEXT,
            message NOT NULL, data TEXT NOT NULL, counts INTEGER NOT NULL DEFAULT 1)""",
        "CREATE INDEX event_by_kind ON event (kind, id)",
        """CREATE TABLE sample (
            id INTEGER PRIMARY KEY, attempt INTEGER NOT NULL, wall_time REAL NOT NULL,
            stage INTEGER NOT NULL, step INTEGER NOT NULL, checkpoint TEXT, split TEXT, purpose TEXT NOT NULL,
            weights_stage INTEGER NOT NULL, weights_step INTEGER NOT NULL,
            "case" NOT NULL, image, prompt, reference, generated,
            labels TEXT NOT NULL, labels_reference TEXT NOT NULL, icd TEXT NOT NULL,
            icd_reference TEXT NOT NULL, scores TEXT NOT NULL, counts INTEGER NOT NULL DEFAULT 1)""",
        'CREATE INDEX sample_by_step ON sample (counts, purpose, stage, step, "case")',
        """CREATE TABLE command (
            id INTEGER PRIMARY KEY AUTOINCREMENT, attempt INTEGER NOT NULL, verb TEXT NOT NULL,
            arguments TEXT NOT NULL, who NOT NULL, asked REAL NOT NULL, taken REAL, ended REAL,
            state TEXT, outcome)""",
        "CREATE INDEX command_untaken ON command (attempt) WHERE taken IS NULL",
        """CREATE TABLE progress (
            id INTEGER PRIMARY KEY CHECK (id = 1), attempt INTEGER NOT NULL, wall_time REAL NOT NULL,
            stage INTEGER, step INTEGER, steps INTEGER, epoch REAL, loss REAL, samples_per_second REAL,
            eta_seconds REAL, eta_spread REAL, memory_bytes INTEGER, note NOT NULL,
            stepped REAL, slowest_step REAL)""",
    ),
    # When the last step was, by the clock that neither jumps nor runs while the machine sleeps.
    ("ALTER TABLE progress ADD COLUMN stepped_monotonic REAL",),
    # The time left is no number with an even spread: what slows a run down is more than what speeds it up.
    ("ALTER TABLE progress ADD COLUMN eta_low REAL", "ALTER TABLE progress ADD COLUMN eta_high REAL"),
)

#: Endings of the files that SQLite keeps beside the database.
COMPANIONS = ("-wal", "-shm", "-journal")
#: Bytes of one text; a longer one is no report.
LONGEST_VALUE = 64 * 2**20

# A page that cannot be made sense of, a file that is no database at all, and a text without end.
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_TOOBIG)
#: What may be raised where a file is broken.
BROKEN = (sqlite3.DatabaseError, UnicodeDecodeError)
# What passes when somebody makes room, mounts the disk again or lets go of a lock.
_PASSING = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
)


class NotReady(UserError):
    """The run's database is not there yet."""


class Damaged(UserError):
    """The run's database cannot be made sense of, in part or at all."""


def is_damage(error: Exception) -> bool:
    """Whether the file itself is broken. Of a damaged schema SQLite speaks in the bytes that it found."""
    return isinstance(error, UnicodeDecodeError) or (
        isinstance(error, sqlite3.Error)
        # the header's format number, of which SQLite complains with the code of any mistake
        and (_primary_code(error) in _DAMAGE or str(error) == "unsupported file format")
    )


def is_passing(error: Exception) -> bool:
    """Whether the same write may succeed later: the disk is full, say."""
    return isinstance(error, sqlite3.Error) and _primary_code(error) in _PASSING


def _primary_code(error: sqlite3.Error) -> int:
    # Errors that the Python module raises by itself bear no code.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def connect_writer(path: Path) -> sqlite3.Connection:
    """The writer's connection; makes the file (0600) or brings an older one up to date.

    Raises Damaged, or another UserError where the place cannot be written.
    """
    make_file(path)
    refuse_unless_plain(path)
    with database_errors(path):
        connection = _connect(path, "rw", busy_seconds=10.0)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA journal_size_limit = 16777216")
            if sys.platform == "darwin":  # there, a plain fsync leaves the data in the drive's cache
                connection.execute("PRAGMA fullfsync = 1")
                connection.execute("PRAGMA checkpoint_fullfsync = 1")
            migrate(connection, path)
        except BaseException:
            # Never left to the collector: a connection that closes late takes the file's log with it, by name.
            connection.close()
            raise
    return connection


def connect_reader(path: Path, may_write: bool = False) -> sqlite3.Connection:
    """A reader's connection, which may only write (commands) if asked to.

    NotReady if there is no database yet, UserError if it cannot be read.
    """
    if not os.path.lexists(path):
        raise NotReady(f"{path} is not there yet: the run has not started")
    refuse_unless_plain(path)
    with database_errors(path):
        # Read-only for good: when the file was replaced under a connection that could write, its end would
        # remove the log of the new one.
        connection = _connect(path, "rw" if may_write else "ro", busy_seconds=5.0)
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                raise NotReady(f"{path} is still empty: the run has not started")
            if version > len(MIGRATIONS):
                raise UserError(_too_new(path, version, len(MIGRATIONS)))
            if not is_as_made(connection, version):
                raise damaged(path, "its tables are not those it was made with")
            if version < len(MIGRATIONS):
                _migrate_unless_in_use(path)
        except BaseException:
            connection.close()
            raise
    return connection


def make_file(path: Path) -> None:
    """An empty file for its owner's eyes only, if there is none.

    One that is there is never opened but by SQLite: whoever closes any descriptor of a file drops every POSIX lock
    that the process has on it, those of SQLite's connections too (https://sqlite.org/howtocorrupt.html, 2.2).
    Another process would then believe itself the last user and take the log away from under them.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if not os.access(path, os.W_OK):
            raise UserError(f"cannot write {path}: {os.strerror(errno.EACCES)}") from None
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None


def refuse_unless_plain(path: Path) -> None:
    """Raises UserError where the database or a file beside it is a link, which SQLite follows, or a pipe."""
    for file in (path, *(path.with_name(path.name + suffix) for suffix in COMPANIONS)):
        if os.path.lexists(file) and not is_plain(file, links=False):
            raise UserError(f"{file} is {kind_of(file)}, not a plain file: move it away")


def _connect(path: Path, mode: str, busy_seconds: float) -> sqlite3.Connection:
    # Neither mode makes an empty database where there was none.
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(
        uri, uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    # One flipped bit in a report must not make the whole run unreadable.
    connection.text_factory = functools.partial(str, encoding="utf-8", errors="replace")
    # The file may come from a stranger.
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _migrate_unless_in_use(path: Path) -> None:
    """A living engine may be of the older version: its tables must not change under it."""
    try:
        lock = EngineLock.take(RunPaths(path.parent), retry_seconds=0)
    except UserError:
        return
    with lock:
        connect_writer(path).close()


def migrate(
    connection: sqlite3.Connection, path: Path, migrations: Sequence[Sequence[str]] = MIGRATIONS
) -> None:
    """Bring the tables to the version of `migrations`, all or nothing. UserError if they are newer."""
    if connection.execute("PRAGMA user_version").fetchone()[0] == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(migrations):
            raise UserError(_too_new(path, version, len(migrations)))
        for statements in migrations[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself takes back what the disk had no room for
            connection.execute("ROLLBACK")
        raise


def _too_new(path: Path, version: int, known: int) -> str:
    return (
        f"{path} has version {version}, this cxr-cockpit reads up to {known}: "
        "it was written by a newer one; update cxr-cockpit to open it"
    )


def is_as_made(connection: sqlite3.Connection, version: int | None = None) -> bool:
    """Whether the tables are those of the version (default: the newest), to the letter.

    A flipped bit may rename a column, and a stranger may have put a view in a table's place that never ends.
    """
    return _tables(connection) == _tables_as_made(len(MIGRATIONS) if version is None else version)


@functools.cache
def _tables_as_made(version: int) -> frozenset[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh, Path(":memory:"), MIGRATIONS[:version])
        return _tables(fresh)


def _tables(connection: sqlite3.Connection) -> frozenset[tuple[str, ...]]:
    rows = connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"
    )
    return frozenset(tuple(map(str, row)) for row in rows)


def damaged(path: Path, said: str) -> Damaged:
    """The error, with what to do: where an engine lives, it recovers the file itself."""
    run = RunPaths(path.parent)
    if lock_holder(run):
        return Damaged(
            f"{path} cannot be read now ({said}): its engine lives and recovers it; look again soon"
        )
    return Damaged(
        f"{path} is damaged ({said}): `{run.resume_command}` keeps it aside, recovers what can be read and goes on"
    )


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """What SQLite says about a broken or busy file, as one line for the user."""
    try:
        yield
    except BROKEN as error:
        if is_damage(error):
            raise damaged(path, str(error)) from error
        if isinstance(error, sqlite3.OperationalError):
            raise UserError(f"cannot use {path}: {error}") from error
        raise
