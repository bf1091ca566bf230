"""Proof of life: the kernel lock that an engine holds on `engine.lock` for as long as it lives.

The kernel drops the lock however the engine ends, which no pid file does. The file's content only says who
holds it: {"pid", "started", "purpose", "attempt"}.
"""

import json
import os
from dataclasses import asdict, dataclass
from typing import Literal, Self

from engine.errors import UserError
from engine.files.file_lock import lock_within, try_lock
from engine.files.plain_file import open_descriptor
from engine.runs.layout import RunPaths, refuse_links

LOCK_FD_VARIABLE = "CXR_LOCK_FD"
RETRY_SECONDS = 2.0  # readers hold the lock shared for an instant; who wants it outlasts them

_RECORD_BYTES = 161
_MOST_ATTEMPTS = 10**6  # beyond it is no count

Purpose = Literal["run", "evaluate"]


class TakenOver(Exception):
    """Another process holds the run: this one must not write there any more."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock. `pid` is None while that is not known for sure."""

    pid: int | None
    purpose: Purpose = "run"
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class _Record:
    pid: int
    started: float
    purpose: Purpose
    attempt: int | None


def lock_holder(paths: RunPaths) -> Holder | None:
    """Who holds the run's lock, or None if it is free. Never blocks, and never keeps the lock."""
    try:
        descriptor = open_descriptor(paths.lock, links=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"cannot look at {paths.lock}: {error.strerror}") from None
    try:
        if try_lock(descriptor, shared=True):
            return None
        record = _read_record(descriptor)
        if record is None:
            return Holder(None)
        pid = record.pid if process_started(record.pid) == record.started else None
        return Holder(pid, record.purpose, record.attempt)
    finally:
        os.close(descriptor)


def process_started(pid: int) -> float | None:
    """When the process of that pid began (seconds since the epoch), or None if there is none.

    Two processes that bore the same pid differ in it.
    """
    import psutil

    try:
        return round(psutil.Process(pid).create_time(), 2)
    except psutil.Error:
        return None


class EngineLock:
    """The held lock. Open for the engine's life; released by `close` or by the process's end."""

    def __init__(self, paths: RunPaths, descriptor: int) -> None:
        self.paths = paths
        self.descriptor = descriptor
        self._open = True
        os.set_inheritable(descriptor, False)
        # A forked worker that outlives the engine would keep the lock, and the dead engine look alive.
        os.register_at_fork(after_in_child=self._forget)

    @classmethod
    def take(cls, paths: RunPaths, retry_seconds: float = RETRY_SECONDS) -> Self:
        """Take the free lock. UserError naming the holder if it stays taken for `retry_seconds`.

        Whoever has it writes into the run: one that would lead a write out of itself is refused first.
        """
        refuse_links(paths)
        try:
            descriptor = _open_to_take(paths)
        except OSError as error:
            raise UserError(f"cannot open {paths.lock}: {error.strerror}") from None
        if not lock_within(descriptor, retry_seconds):
            os.close(descriptor)
            raise UserError(_in_use(paths))
        return cls(paths, descriptor)

    @classmethod
    def acquire(cls, paths: RunPaths, purpose: Purpose = "run") -> Self:
        """The engine's way in: adopt the descriptor its launcher handed over, else take the lock itself."""
        handed_over = os.environ.pop(LOCK_FD_VARIABLE, None)
        if handed_over is None:
            lock = cls.take(paths)
            lock.record(os.getpid(), purpose, None)
        else:
            lock = cls(paths, _checked_descriptor(paths, handed_over))
            known = _read_record(lock.descriptor)
            lock.record(os.getpid(), purpose, known.attempt if known else None)
        return lock

    def record(self, pid: int, purpose: Purpose, attempt: int | None) -> None:
        """Write into the file who holds the lock, and for which attempt it was launched."""
        content = json.dumps(asdict(_Record(pid, process_started(pid) or 0.0, purpose, attempt))).encode()
        # Padded rather than truncated first: a reader between the two would see an empty file.
        os.pwrite(self.descriptor, content.ljust(_RECORD_BYTES - 1) + b"\n", 0)

    def last_attempt(self) -> int:
        """The attempt that the file names before it is written anew; 0 if it names none."""
        known = _read_record(self.descriptor)
        return known.attempt or 0 if known else 0

    def renew(self) -> bool:
        """Whether the file had been removed or replaced, and the lock was taken anew on the one that bears its name.

        TakenOver where another process holds that one by now.
        """
        try:
            if os.path.samestat(os.fstat(self.descriptor), os.lstat(self.paths.lock)):
                return False
        except FileNotFoundError:
            pass
        descriptor = _open_to_take(self.paths)
        if not try_lock(descriptor):
            os.close(descriptor)
            raise TakenOver(f"{self.paths.lock} was replaced, and another process has it now")
        os.pwrite(descriptor, os.pread(self.descriptor, _RECORD_BYTES, 0), 0)
        os.close(self.descriptor)
        self.descriptor = descriptor
        return True

    def close(self) -> None:
        """Let the lock go, here: a process that was handed the descriptor keeps it."""
        if self._open:
            self._open = False
            os.close(self.descriptor)

    def _forget(self) -> None:
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def own_attempt(paths: RunPaths) -> int | None:
    """The attempt that this very process was launched for, as the lock file has it."""
    try:
        descriptor = open_descriptor(paths.lock, links=False)
    except OSError:
        return None
    try:
        record = _read_record(descriptor)
    finally:
        os.close(descriptor)
    ours = record is not None and record.pid == os.getpid() and record.started == process_started(record.pid)
    return record.attempt if record and ours else None


def _open_to_take(paths: RunPaths) -> int:
    return open_descriptor(paths.lock, os.O_RDWR | os.O_CREAT, links=False)


def _read_record(descriptor: int) -> _Record | None:
    try:
        content = json.loads(os.pread(descriptor, 4096, 0))
        purpose: Purpose = "evaluate" if content["purpose"] == "evaluate" else "run"
        attempt = content["attempt"]
        if attempt is not None and not 0 < int(attempt) < _MOST_ATTEMPTS:
            return None
        return _Record(int(content["pid"]), float(content["started"]), purpose, attempt)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _checked_descriptor(paths: RunPaths, text: str) -> int:
    try:
        descriptor = int(text)
        same = os.path.samestat(os.fstat(descriptor), paths.lock.stat())
    except (ValueError, OSError):
        same = False
    if not same:
        raise UserError(f"{LOCK_FD_VARIABLE}={text} is no open descriptor of {paths.lock}: unset it")
    return descriptor


def _in_use(paths: RunPaths) -> str:
    holder = lock_holder(paths)
    who = f"pid {holder.pid}" if holder and holder.pid else "another process"
    return f"run {paths.name!r} is already in use by {who}: see `{paths.command('status')}`"
