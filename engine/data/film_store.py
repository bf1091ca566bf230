"""Films as the model takes them, prepared once and kept on disk: later epochs, validation, generation and other runs
read them instead of decoding a radiograph of many megapixels anew.

`PLACE/PREPARATION/ab/cdef….film` holds one film under the hash of its file's bytes: a square of RGB in uint8, and a
checksum after it. `films.db` there knows which hash a path had when it had this size and time, so that a film is read
as a whole only once. It is a cache: whatever is missing or damaged in it is made anew from the film.
"""

import errno
import hashlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from PIL import Image

from engine.data.images import open_image, within
from engine.files.plain_file import open_plain
from engine.files.temporary import holder

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: Bytes of the checksum after a film's pixels, and of the names made of hashes.
CHECKSUM, NAME = 16, 20

log = logging.getLogger("engine")


@dataclass
class Counts:
    """Since the store was opened. damaged: kept films whose checksum was wrong, made anew."""

    read: int = 0
    made: int = 0
    damaged: int = 0


class FilmStore:
    """Use it in a `with`: what it writes lies beside its place until it is whole.

    place: a directory of its own, shared by runs; made, for its owner alone, if it is not there. preparation: all that
    decides what is made of a film's bytes; films prepared otherwise are kept apart. size: of the square's side, in
    pixels. prepare: from the decoded film to (size, size, 3) uint8.
    """

    def __init__(
        self,
        place: Path,
        *,
        image_root: Path,
        preparation: str,
        size: int,
        prepare: "Callable[[Image.Image], npt.NDArray[np.uint8]]",
    ) -> None:
        self.place, self.image_root, self.size = place, image_root, size
        self.counts = Counts()
        self._prepare = prepare
        self._room = place / hashlib.blake2b(preparation.encode(), digest_size=6).hexdigest()
        self._known: dict[str, str] = {}
        self._writes = threading.Lock()
        self._stack = ExitStack()
        self._full = False

    def __enter__(self) -> "FilmStore":
        self._room.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._beside = self._stack.enter_context(holder(self.place)).path
        self._index = _index(self._room / "films.db")
        self._stack.callback(self._index.close)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def record_bytes(self) -> int:
        """What one film takes."""
        return self.size * self.size * 3 + CHECKSUM

    def pixels(self, image: str) -> "npt.NDArray[np.uint8]":
        """The film at `image` under the image root, (size, size, 3). May be called from several threads.

        A film that was asked for before is not looked at again, even if its file is gone by now. Raises `UserError` as
        `open_image` does.
        """
        name = self._known.get(image)
        first = name is None
        name = name or self._name_of(image)
        kept = self._read(name) if name else None
        if kept is not None:
            self.counts.read += 1
            if first and name:
                with suppress(
                    OSError
                ):  # removed meanwhile, or a disk that cannot be written: it only was in use
                    os.utime(self._path(name))
        else:
            kept = self._prepare(open_image(self.image_root, image))
            self.counts.made += 1
            if name:
                self._write(name, kept)
        if name:
            self._known[image] = name
        return kept

    def make_room(self, films: int, limit: int) -> bool:
        """Whether so many films can be kept in `limit` bytes; those used longest ago make room for them.

        False, and nothing is removed, where they would not fit even alone, or the disk has no room for them.
        """
        wanted = films * self.record_bytes
        kept = sorted(self._kept(), key=lambda one: one[1])
        taken = sum(size for _, _, size in kept)
        if (
            wanted > limit
            or wanted > os.statvfs(self.place).f_bavail * os.statvfs(self.place).f_frsize + taken
        ):
            return False
        for path, _, size in kept:
            if taken + wanted <= limit:
                break
            with suppress(FileNotFoundError):  # another run made room, too
                path.unlink()
            taken -= size
        return True

    def _kept(self) -> Iterable[tuple[Path, float, int]]:
        """Path, last use and bytes of every film kept, of whatever preparation."""
        for path in self.place.glob("*/??/*.film"):
            with suppress(FileNotFoundError):
                facts = path.stat()
                yield path, facts.st_mtime, facts.st_size

    def _path(self, name: str) -> Path:
        return self._room / name[:2] / f"{name[2:]}.film"

    def _name_of(self, image: str) -> str | None:
        """The hash of the film's bytes; from the index if its file is as it was. None where it cannot be read."""
        path = within(self.image_root, image)
        try:
            with open_plain(path, "rb") as file:
                facts = os.fstat(file.fileno())
                signature = (str(path), facts.st_size, facts.st_mtime_ns, facts.st_ino)
                with self._writes:
                    row = self._index.execute(
                        "SELECT name FROM film WHERE path = ? AND size = ? AND time = ? AND inode = ?",
                        signature,
                    ).fetchone()
                if row:
                    return str(row[0])
                name = hashlib.blake2b(file.read(), digest_size=NAME).hexdigest()
        except (OSError, ValueError):  # it will be said when the film is decoded
            return None
        with self._writes:
            self._index.execute("INSERT OR REPLACE INTO film VALUES (?, ?, ?, ?, ?)", (*signature, name))
            self._index.commit()
        return name

    def _read(self, name: str) -> "npt.NDArray[np.uint8] | None":
        import numpy as np

        try:
            content = self._path(name).read_bytes()
        except OSError:
            return None
        pixels, checksum = content[:-CHECKSUM], content[-CHECKSUM:]
        if len(content) != self.record_bytes or _checksum(pixels) != checksum:
            self.counts.damaged += 1
            return None
        return np.frombuffer(pixels, np.uint8).reshape(self.size, self.size, 3)

    def _write(self, name: str, pixels: "npt.NDArray[np.uint8]") -> None:
        """Whole or not at all. Where the disk takes no more, films are prepared each time: said once."""
        if self._full:
            return
        path, content = self._path(name), pixels.tobytes()
        made = self._beside / f"{name}.{threading.get_ident()}"
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with open(
                os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb"
            ) as file:
                file.write(content + _checksum(content))
            made.rename(path)
        except OSError as error:
            made.unlink(missing_ok=True)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
                raise
            self._full = True
            log.warning("%s: %s; films are decoded anew each time", self.place, error.strerror)


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=CHECKSUM).digest()


def _index(path: Path) -> sqlite3.Connection:
    """What a path's bytes hash to. Made anew where it cannot be read."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    for attempt in range(2):
        connection = sqlite3.connect(path, timeout=10, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous = OFF")  # a cache: what a power cut takes is hashed again
            connection.execute(
                "CREATE TABLE IF NOT EXISTS film (path TEXT PRIMARY KEY, size INTEGER, time INTEGER, "
                "inode INTEGER, name TEXT) WITHOUT ROWID"
            )
            return connection
        except sqlite3.DatabaseError:
            connection.close()
            if attempt:
                raise
            path.write_bytes(b"")
    raise AssertionError("unreachable")
