"""One file from a server: resumed where it was cut, under its own name only when its hash agrees."""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engine.download.line import Lost, PastTheEnd
from engine.download.patience import PATIENCE, Pause, patiently
from engine.files.plain_file import open_plain

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_BLOCK = 2**20
#: What the state file needs at most.
_ROOM = 2**16


@dataclass(frozen=True, slots=True)
class Remote:
    """A file as its server lists it.

    path: relative, with forward slashes. bytes: None until the server says. digest: of its bytes, in hexadecimal; None
    where nobody names it, then only the size is compared. git_blob: whether the digest is git's blob id (SHA-1) and not
    a SHA-256.
    """

    path: str
    bytes: int | None
    digest: str | None
    git_blob: bool = False


@dataclass(frozen=True)
class Body:
    """What a server sends. begins: the byte it begins at. total: of the whole file, None if it does not say."""

    begins: int
    total: int | None
    blocks: Iterator[bytes]


#: A file's content from a byte on; raises Lost, or UserError for what trying again cannot mend.
Content = Callable[[int], AbstractContextManager[Body]]


class Watch(Protocol):
    """Hears how a file gets on, and may raise to end it."""

    def progress(self, done: int, total: int | None) -> None:
        """done: bytes that are here. total: of the file, None while unknown."""

    def checking(self) -> None: ...


def fetch_verified(
    remote: Remote,
    target: Path,
    part: Path,
    content: Content,
    watch: Watch,
    pause: Pause,
    mismatch: str,
    jitter: Callable[[float], float] = lambda seconds: seconds,
) -> int:
    """Make `target` whole by way of `part`, which stays where this ends early; returns its bytes.

    mismatch: what to say, after the path, of bytes whose hash is wrong twice. Raises Lost when patience is at its end,
    UserError, OSError.
    """
    for _ in range(2):
        patiently(lambda: _take(remote, part, content, watch), PATIENCE, pause, lambda: size(part), jitter)
        watch.checking()
        if agrees(remote, part, watch):
            break
        # a part that was cut or mixed in an earlier life: once more from nothing
        part.unlink()
        watch.progress(0, remote.bytes)
    else:
        raise Lost(f"{remote.path}: {mismatch} ({(remote.digest or '')[:12]}…)")
    target.parent.mkdir(parents=True, exist_ok=True)
    whole = size(part)
    _flush(part)
    os.replace(part, target)
    return whole


def agrees(remote: Remote, path: Path, watch: Watch) -> bool:
    """Whether the file's bytes have the hash that is listed, if one is."""
    if remote.digest is None:
        return True
    hasher = hashlib.sha1(f"blob {remote.bytes}\0".encode()) if remote.git_blob else hashlib.sha256()
    with open_plain(path, "rb") as opened:
        while block := opened.read(_BLOCK):
            hasher.update(block)
            watch.checking()
    return hasher.hexdigest() == remote.digest


def size(path: Path) -> int:
    """Bytes of the file; 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _take(remote: Remote, part: Path, content: Content, watch: Watch) -> None:
    """Append to `part` until it has the file's size; what came before a failure stays."""
    have, total = size(part), remote.bytes
    if total is not None and have > total:
        part.unlink()
        have = 0
    watch.progress(have, total)
    known = total is not None or remote.digest is not None
    if have and known and (have == total or (total is None and agrees(remote, part, watch))):
        return
    try:
        with content(have) as body, open_plain(part, "r+b" if have else "wb") as out:
            total = body.total if total is None else total
            have = out.seek(body.begins)
            out.truncate()
            for block in body.blocks:
                _append(out.fileno(), block)
                have += len(block)
                if total is not None and have > total:
                    break
                watch.progress(have, total)
    except PastTheEnd:
        part.unlink(missing_ok=True)
        raise
    if total is not None and have != total:
        raise Lost(f"{remote.path}: the line broke after {have:,} of {total:,} bytes")
    if not part.exists():
        part.touch()


def _append(descriptor: int, block: bytes) -> None:
    """Write all of `block`, or take back what was written of it: on a full disk the state needs room as well."""
    place = os.lseek(descriptor, 0, os.SEEK_CUR)
    try:
        written = 0
        while written < len(block):
            written += os.write(descriptor, block[written:])
    except OSError as error:
        if error.errno in NO_SPACE:
            os.ftruncate(descriptor, max(0, place - _ROOM))
        raise


def _flush(path: Path) -> None:
    with path.open("rb") as opened:
        os.fsync(opened.fileno())
