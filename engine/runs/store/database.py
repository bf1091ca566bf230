"""The writer's connection to run.db: tries again where the disk is full, recovers a damaged file."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.runs.layout import RunPaths
from engine.runs.pinned_paths import RunRemoved
from engine.runs.store.damage import finish_interrupted, recover
from engine.runs.store.database_files import identity, put_back
from engine.runs.store.insert import Ids
from engine.runs.store.pending_writes import PendingWrites, Write
from engine.runs.store.schema import (
    BROKEN,
    Damaged,
    connect_writer,
    database_errors,
    is_as_made,
    is_damage,
    is_passing,
)

log = logging.getLogger("engine")

#: So often writes that wait are tried again, at most.
RETRY_SECONDS = 1.0
#: A disk that goes on damaging the file is not to be filled with copies of it.
MOST_RECOVERIES = 3
#: So often it is looked whether the file is still the one that was opened, at most.
LOOK_SECONDS = 1.0
_BATCH = 200


class _CannotNow(Exception):
    """The write was not done and left nothing; later it may be."""


class RetryingDatabase:
    """Carries out writes in order. One that finds no room waits in memory, and later ones behind it.

    ids: a cache of the caller's that is true only for what was committed; kept so on failure.
    alert: makes, of a message, the write that tells it in the database.
    after_recovery: what must be there again after a damaged file was replaced.
    May be used from several threads.
    """

    def __init__(
        self, paths: RunPaths, alert: Callable[[str], Write], after_recovery: Write, thorough: bool = False
    ) -> None:
        self._paths = paths
        self._alert, self._after_recovery = alert, after_recovery
        self.mutex = threading.RLock()
        self.ids: Ids = {}
        self._waiting = PendingWrites()
        self._retry_at = 0.0
        self._recoveries_left = MOST_RECOVERIES
        self._looked_at = time.monotonic()
        self._displaced = ""
        finish_interrupted(paths.db)
        try:
            self.connection = _checked(paths.db, thorough)
        except Damaged as error:
            try:
                self.connection = self._recovered(error)
            except (sqlite3.Error, OSError) as problem:
                raise UserError(f"{paths.db} is damaged and cannot be recovered now: {problem}") from error
        self._own = identity(paths.db)

    def now(self, write: Write) -> None:
        """Carry it out at once, after all that waits. UserError where that cannot be."""
        with self.mutex:
            try:
                self._look_at_file()
                self._store_waiting(at_once=True)
                if self._waiting:
                    raise _CannotNow(self._waiting.reason)
                self._transact([write])
            except _CannotNow as error:
                raise UserError(f"cannot write {self._paths.db}: {error}") from None

    def soon(self, write: Write) -> None:
        """Carry it out, or let it wait until the disk has room."""
        with self.mutex:
            self._look_at_file()
            self._store_waiting()
            if not self._waiting:
                try:
                    self._transact([write])
                    return
                except _CannotNow as error:
                    self._begin_waiting(str(error))
            self._waiting.put(write)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """What a short query finds; nothing while the file cannot be read. A chance for what waits, too."""
        with self.mutex:
            self._look_at_file()
            self._store_waiting()
            try:
                return self.connection.execute(query, values).fetchall()
            except BROKEN as error:
                if is_damage(error):
                    with suppress(_CannotNow):
                        self._recover_or_wait(error)
                elif not is_passing(error):
                    raise
                return []

    def recover(self, error: UserError) -> None:
        """Put the file back, or recover it from damage that no write has met: a reader could not read it."""
        with self.mutex, suppress(_CannotNow):
            if not self._put_back() and isinstance(error, Damaged):
                self._recover_or_wait(error)

    @property
    def waiting(self) -> int:
        """Writes that wait for room."""
        return len(self._waiting)

    def close(self) -> None:
        """Let go of the file. What still waits gets a last chance."""
        with self.mutex:
            self._put_back()  # what was done to the file since the last look
            self._store_waiting(at_once=True)
            if self._waiting:
                log.error(
                    "%d writes that waited for room on the disk are lost: %s",
                    len(self._waiting),
                    self._paths.db,
                )
            self.connection.close()

    # --- inside -----------------------------------------------------------------------------------------

    def _look_at_file(self) -> None:
        """Now and then: whether the file that readers find is the one that is written here."""
        if time.monotonic() >= self._looked_at + LOOK_SECONDS:
            self._put_back()
            self._looked_at = time.monotonic()

    def _put_back(self) -> bool:
        """Whether the file had been removed or replaced, and is there again."""
        try:
            now = identity(self._paths.db)
            if all(own in (None, there) for own, there in zip(self._own, now, strict=True)):
                self._own = now
                return False
            told = put_back(self.connection, self._paths.db, self._own)
            self._reconnect()
            self._alert(told).work(self.connection)
        except RunRemoved:
            return False
        except (sqlite3.Error, UserError, OSError) as error:
            if str(error) != self._displaced:
                log.error("run.db was removed or replaced, and cannot be written back yet: %s", error)
            self._displaced = str(error)
            return False
        self._displaced = ""
        return True

    def _reconnect(self) -> None:
        before = self.connection
        self.connection = connect_writer(self._paths.db)
        before.close()  # it has noticed that its file bears the name no more, and leaves the log there alone
        self._own = identity(self._paths.db)
        self.ids.clear()

    def _begin_waiting(self, reason: str) -> None:
        self._waiting.begin(reason)
        self._retry_at = time.monotonic() + RETRY_SECONDS
        log.error("run.db cannot be written (%s): what happens is kept in memory until it can", reason)

    def _store_waiting(self, at_once: bool = False) -> None:
        if not self._waiting or (time.monotonic() < self._retry_at and not at_once):
            return
        while batch := self._waiting.first(_BATCH):
            last = len(batch) == len(self._waiting)
            try:
                self._transact([*batch, *([self._alert(self._waited_words())] if last else [])])
            except _CannotNow:
                self._retry_at = time.monotonic() + RETRY_SECONDS
                return
            self._waiting.remove(len(batch))
        log.info("run.db can be written again, all that waited is in it")

    def _waited_words(self) -> str:
        since = time.strftime("%H:%M:%S", time.localtime(self._waiting.since))
        lost = self._waiting.lost_words()
        ending = f"; the wait was too long to keep all, lost are {lost}" if lost else "; nothing is lost"
        return f"run.db could not be written from {since} until now ({self._waiting.reason}){ending}"

    def _transact(self, writes: Sequence[Write]) -> None:
        """All of them, or none. Raises `_CannotNow` where the file or the disk is the reason."""
        try:
            self._attempt(writes)
        except BROKEN as error:
            if is_damage(error):
                self._recover_or_wait(error)
                self._transact(writes)
            elif is_passing(error):
                raise _CannotNow(str(error)) from error
            else:
                raise

    def _attempt(self, writes: Sequence[Write]) -> None:
        known = dict(self.ids)
        durable = any(write.durable for write in writes)
        try:
            if durable:
                self.connection.execute("PRAGMA synchronous = FULL")
            self.connection.execute("BEGIN IMMEDIATE")
            for write in writes:
                write.work(self.connection)
            self.connection.execute("COMMIT")
        except BaseException:
            self.ids.clear()  # ids made in this transaction are gone with it
            self.ids.update(known)
            with suppress(sqlite3.Error):  # SQLite itself takes back what the disk had no room for
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
            raise
        finally:
            if durable:
                with suppress(sqlite3.Error):
                    self.connection.execute("PRAGMA synchronous = NORMAL")

    def _recover_or_wait(self, error: Exception) -> None:
        if self._put_back():
            return
        if not self._recoveries_left:
            raise _CannotNow(str(error)) from error
        self.connection.close()
        try:
            self.connection = self._recovered(error)
            self._own = identity(self._paths.db)
        except (sqlite3.Error, OSError) as problem:
            self._reconnect()
            raise _CannotNow(f"{error}; {problem}") from error

    def _recovered(self, error: Exception) -> sqlite3.Connection:
        """A connection to what could be recovered, the damaged file kept aside."""
        log.error("run.db is damaged (%s): recovering what can be read", error)
        self._recoveries_left -= 1
        recovered = recover(self._paths.db)
        connection = connect_writer(self._paths.db)
        with connection:
            self._after_recovery.work(connection)
            self._alert(recovered.line()).work(connection)
        self.ids.clear()
        return connection


def _checked(path: Path, thorough: bool) -> sqlite3.Connection:
    """Raises Damaged, too, where tables are not as made, and if `thorough`, where any page is broken."""
    connection = connect_writer(path)
    try:
        with database_errors(path):
            said = connection.execute("PRAGMA quick_check(1)").fetchone()[0] if thorough else "ok"
            as_made = is_as_made(connection)
        if said != "ok":
            raise Damaged(said.splitlines()[-1])
        if not as_made:
            raise Damaged("its tables are not those it was made with")
    except BaseException:
        connection.close()
        raise
    return connection
