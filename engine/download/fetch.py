"""`model fetch`: a repository's files, each under its own name only when it is whole and its hash agrees."""

import errno
import hashlib
import logging
import os
import shlex
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypeVar

from engine.download.hub import Hub, HubFile, Lost
from engine.download.model_download import (
    Download,
    FileProgress,
    FileState,
    State,
    begun,
    take_lock,
    workplace,
    write_download,
)
from engine.errors import UserError
from engine.files.free_space import free_space
from engine.files.plain_file import open_plain
from engine.words.plural import counted
from engine.words.printable import message
from engine.words.sizes import on_disk

#: Tries in a row that bring no byte before the download ends: with the waits between them some ten minutes; and
#: those before the hub has answered at all, when somebody is likely to be looking.
PATIENCE = 14
FIRST_PATIENCE = 4
LONGEST_WAIT = 60.0

#: A hub that asks for a longer pause than this is told good-bye: somebody should know.
LONGEST_PAUSE = 15 * 60.0

#: Seconds between two writings of the state file, and those that the rate is reckoned over.
STATE_SECONDS = 0.5
RATE_SECONDS = 20.0

_BLOCK = 2**20
#: What the state file needs at most.
_ROOM = 2**16
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

Wait = Callable[[float], None]
Answer = TypeVar("Answer")


class Stopped(BaseException):
    """Somebody asked the download to end."""


def stop_on_signals() -> None:
    """From here on SIGTERM and SIGINT end the download in good order."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)


def fetch_model(repo: str, revision: str, directory: Path) -> int:
    """The download's whole life, as its own process: 0 whole, 1 ended before that, 2 asked for what cannot be."""
    lock = take_lock(directory)
    if lock is None:
        again = shlex.join(["cxr-cockpit", "model", "fetch", repo, "--to", str(directory)])
        raise UserError(f"{directory}: another download is under way there; see `{again}`")
    logging.getLogger("httpx2").setLevel(
        logging.WARNING
    )  # it tells of every request, signed addresses included
    fetch = Fetch(repo, revision, directory)
    try:
        fetch.run()
    except Stopped:
        fetch.end("stopped", "what is here stays")
    except UserError as error:
        fetch.end("failed", str(error), usage=True)
        print(f"cxr-cockpit: {message(str(error))}", file=sys.stderr)
        return 2
    except (Lost, OSError) as error:
        fetch.end("failed", _words(error, directory))
        print(f"cxr-cockpit: {message(_words(error, directory))}", file=sys.stderr)
    else:
        return 0
    finally:
        os.close(lock)
    return 1


class Fetch:
    """One download. wait: how it passes the time between two tries."""

    def __init__(self, repo: str, revision: str, directory: Path, wait: Wait = time.sleep) -> None:
        self._wait = wait
        self._standing = replace(begun(repo, revision, directory), pid=os.getpid())
        self._written = 0.0
        self._arrived: deque[tuple[float, int]] = deque()

    def run(self) -> Download:
        """Make the directory whole. Raises `UserError`, `Lost` when patience is at its end, `OSError`."""
        self._tell("asking")
        hub = Hub(self._standing.repo)
        commit = self._patiently(lambda: hub.commit(self._standing.revision), FIRST_PATIENCE)
        files = self._patiently(lambda: hub.files(commit), FIRST_PATIENCE)
        self._standing = replace(
            self._standing,
            commit=commit,
            files=tuple(FileProgress(file.path, file.bytes, 0, "to come") for file in files),
        )
        self._clear_parts(files)
        missing = [file for file in files if not self._is_here(file)]
        self._ask_disk(missing)
        for file in missing:
            self._fetch(hub, commit, file)
        self.end("finished", f"{counted(len(files), 'file')}, every size and hash agrees")
        return self._standing

    def end(self, state: State, message: str, usage: bool = False) -> None:
        """The last word. On a full disk even that may fail; then the free lock says that nobody is at work."""
        self._standing = replace(
            self._standing,
            state=state, message=message, usage=usage, pid=None, bytes_per_second=None, seconds_left=None,
        )  # fmt: skip
        with suppress(OSError):
            write_download(self._standing)

    def _fetch(self, hub: Hub, commit: str, file: HubFile) -> None:
        part = self._part(file)
        for _ in range(2):
            self._patiently(lambda: self._take_bytes(hub, commit, file, part), PATIENCE, lambda: _size(part))
            self._tell("checking")
            if self._agrees(file, part):
                break
            # a part that was cut or mixed in an earlier life: once more from nothing
            part.unlink()
            self._progress(file, 0, "under way")
        else:
            raise Lost(
                f"{file.path}: what the hub sends has not the hash that it names ({file.digest[:12]}…)"
            )
        target = self._standing.directory / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        _flush(part)
        os.replace(part, target)
        self._progress(file, file.bytes, "whole")
        self._tell("fetching")

    def _take_bytes(self, hub: Hub, commit: str, file: HubFile, part: Path) -> None:
        """Append to `part` until it has the file's size; what came before a failure stays."""
        have = _size(part)
        if have > file.bytes:
            part.unlink()
            have = 0
        self._progress(file, have, "under way")
        if have == file.bytes and have:
            return
        self._tell("fetching")
        with (
            hub.content(commit, file, have) as (begins, blocks),
            open_plain(part, "r+b" if have else "wb") as out,
        ):
            have = out.seek(begins)
            out.truncate()
            for block in blocks:
                _append(out.fileno(), block)
                have += len(block)
                if have > file.bytes:
                    break
                self._progress(file, have, "under way")
                self._tell("fetching", sparsely=True)
        if have != file.bytes:
            raise Lost(f"{file.path}: the line broke after {have:,} of {file.bytes:,} bytes")

    def _patiently(
        self, attempt: Callable[[], Answer], patience: int, reached: Callable[[], int] = lambda: 0
    ) -> Answer:
        """The attempt's outcome; again and again while it is lost, unless `patience` tries in a row reach nothing."""
        fruitless = 0
        while True:
            before = reached()
            try:
                return attempt()
            except Lost as lost:
                fruitless = 0 if reached() > before else fruitless + 1
                if fruitless > patience or (lost.after or 0) > LONGEST_PAUSE:
                    raise
                pause = lost.after if lost.after is not None else min(2.0**fruitless / 2, LONGEST_WAIT)
                self._tell("waiting", f"{lost}; trying again in {pause:.0f} s")
                self._wait(pause)

    def _is_here(self, file: HubFile) -> bool:
        """Whether the file lies in the directory whole, however it came there."""
        path = self._standing.directory / file.path
        here = path.is_file() and path.stat().st_size == file.bytes and self._agrees(file, path)
        self._progress(
            file,
            file.bytes if here else min(_size(self._part(file)), file.bytes),
            "whole" if here else "to come",
        )
        return here

    def _agrees(self, file: HubFile, path: Path) -> bool:
        """Whether the bytes have the hash that the hub names."""
        hasher = hashlib.sha256() if file.sha256 else hashlib.sha1(f"blob {file.bytes}\0".encode())
        with path.open("rb") as opened:
            while block := opened.read(_BLOCK):
                hasher.update(block)
                self._tell("checking", file.path, sparsely=True)
        return hasher.hexdigest() == file.digest

    def _ask_disk(self, missing: list[HubFile]) -> None:
        needed = sum(file.bytes - min(_size(self._part(file)), file.bytes) for file in missing)
        needed += _BLOCK if needed else 0
        free = free_space(self._standing.directory)
        if free < needed:
            raise UserError(
                f"{self._standing.directory}: {on_disk(needed)} are still to come, "
                f"the disk has {on_disk(free)} free; make room or choose another place with --to"
            )

    def _part(self, file: HubFile) -> Path:
        """Named by the hash: a file that has changed on the hub begins anew."""
        return workplace(self._standing.directory) / f"{file.digest}.part"

    def _clear_parts(self, files: list[HubFile]) -> None:
        """Remove parts of what the repository no longer has."""
        wanted = {self._part(file) for file in files}
        for part in workplace(self._standing.directory).glob("*.part"):
            if part not in wanted:
                part.unlink()

    def _progress(self, file: HubFile, done: int, state: FileState) -> None:
        files = tuple(
            replace(one, done=done, state=state) if one.path == file.path else one
            for one in self._standing.files
        )
        self._standing = replace(self._standing, files=files)

    def _tell(self, state: State, message: str = "", sparsely: bool = False) -> None:
        """Write the state; `sparsely`: not more often than a reader looks."""
        now = time.monotonic()
        if sparsely and now - self._written < STATE_SECONDS:
            return
        self._written = now
        rate = self._rate(now) if state == "fetching" else None
        left = (self._standing.total - self._standing.done) / rate if rate else None
        self._standing = replace(
            self._standing, state=state, message=message, bytes_per_second=rate, seconds_left=left
        )
        write_download(self._standing)

    def _rate(self, now: float) -> float | None:
        """Bytes a second over the last while."""
        done = self._standing.done
        if self._arrived and self._arrived[-1][1] > done:
            self._arrived.clear()
        self._arrived.append((now, done))
        while now - self._arrived[0][0] > RATE_SECONDS:
            self._arrived.popleft()
        began, then = self._arrived[0]
        return (done - then) / (now - began) if now - began >= STATE_SECONDS else None


def _append(descriptor: int, block: bytes) -> None:
    """Write all of `block`, or take back what was written of it: on a full disk the state needs room as well."""
    place = os.lseek(descriptor, 0, os.SEEK_CUR)
    try:
        written = 0
        while written < len(block):
            written += os.write(descriptor, block[written:])
    except OSError as error:
        if error.errno in _NO_SPACE:
            os.ftruncate(descriptor, max(0, place - _ROOM))
        raise


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _flush(path: Path) -> None:
    with path.open("rb") as opened:
        os.fsync(opened.fileno())


def _words(error: Exception, directory: Path) -> str:
    if isinstance(error, OSError):
        if error.errno in _NO_SPACE:
            return f"{directory}: the disk is full; make room, then give the same command again: it goes on from here"
        return f"{error.filename or directory}: {error.strerror or error}"
    return f"{error}; give the same command again: it goes on from here"


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise Stopped
