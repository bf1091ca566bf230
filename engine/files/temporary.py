"""What lies beside its place while it is made or removed, and goes however its maker ends.

All of it lies in holders: hidden directories with a lock inside. The kernel drops the lock when the maker dies, which
no `finally` sees if it was killed; so whoever begins anything in the same place looks for holders whose lock is free
and removes them. They may hold rows of a patient's record.
"""

import contextlib
import errno
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.files.file_lock import try_lock
from engine.files.removal import remove

PREFIX = ".cxr-temporary-"
_LOCK = "lock"

log = logging.getLogger("engine")


@dataclass(frozen=True, slots=True)
class Holder:
    """A private directory that goes with its maker. lock: a descriptor; a child that inherits it is a maker, too."""

    path: Path
    lock: int


@contextmanager
def holder(place: Path | None = None) -> Iterator[Holder]:
    """A holder in the directory `place`, gone after the block; what should stay is renamed out of it before.

    What killed makers left in `place` is removed first; it is made, for its owner alone, if it is not there. Without
    one it is the system's directory for such things. Raises OSError where no directory can be made there, or where what
    is in it cannot be removed.
    """
    place = place or Path(tempfile.gettempdir())
    sweep(place)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place)) from None
    made = _made(place)
    try:
        yield made
    finally:
        try:
            _remove(made.path)
        finally:
            os.close(made.lock)


def sweep(place: Path) -> None:
    """Remove what killed makers have left in `place`; what cannot be removed is told in the log."""
    try:
        left = [name for name in os.listdir(place) if name.startswith(PREFIX)]
    except OSError:  # what cannot be read here could not be written either
        return
    for path in (place / name for name in left):
        try:
            if path.stat(follow_symlinks=False).st_uid == os.getuid():
                _remove_if_left(path)
        except OSError as error:
            log.warning(
                "%s: left by a process that was killed, and cannot be removed: %s", path, error.strerror
            )


def write_private(path: Path, lines: Iterable[str]) -> None:
    """Writes text in one step, readable by its owner only: flushed to disk, then renamed into place.

    Raises OSError that names `path`; what was there before stays.
    """
    try:
        with holder(path.parent) as beside:
            made = beside.path / "content"
            descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
            os.replace(made, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _made(place: Path) -> Holder:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))  # mode 0700 whatever the umask
        with contextlib.suppress(FileNotFoundError):  # swept before it had its lock
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if _taken(lock) is not False and _is(path / _LOCK, lock):
                return Holder(path, lock)
            os.close(lock)


def _remove_if_left(path: Path) -> None:
    try:
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        # Its maker died before the lock was there, or is just about to make it and begins anew.
        with contextlib.suppress(FileNotFoundError):
            _rmdir(path)
        return
    try:
        if _taken(lock):
            _remove(path)
    finally:
        os.close(lock)


def _taken(lock: int) -> bool | None:
    """Whether the lock is ours now; None where the file system knows no locks: nothing there is ever swept."""
    try:
        return try_lock(lock)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK):
            raise
        return None


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    """The lock last: while it is there, nobody else removes the same."""
    for name in os.listdir(path):
        if name != _LOCK:
            remove(path / name)
    (path / _LOCK).unlink(missing_ok=True)
    _rmdir(path)


def _rmdir(path: Path) -> None:
    try:
        path.rmdir()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:  # its maker was faster
            raise
