"""Opening files that somebody else may have put there: only plain files, and without ever waiting for one."""

import errno
import os
import stat
from pathlib import Path
from typing import IO, Any

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a link",
}


class NotPlain(OSError):
    """What bears the name is no plain file; `strerror` says what it is."""


def open_descriptor(
    path: str | os.PathLike[str], flags: int = os.O_RDONLY, links: bool = True, mode: int = 0o600
) -> int:
    """A descriptor of the plain file at `path`, for `os.open`'s flags.

    links: whether the last part of the path may be a symbolic link. Raises NotPlain, or another OSError.
    """
    extra = os.O_CLOEXEC | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW)
    try:
        # Non-blocking: opening a pipe that nobody writes to would otherwise wait for ever.
        descriptor = os.open(path, flags & ~os.O_TRUNC | extra, mode)
    except OSError as error:
        try:
            found = os.stat(path, follow_symlinks=links).st_mode
        except OSError:
            raise error from None
        if stat.S_ISREG(found):
            raise
        raise _refusal(path, found) from None
    try:
        found = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(found):
            raise _refusal(path, found)
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
        os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_plain(path: str | os.PathLike[str], mode: str = "r", links: bool = True, **options: Any) -> IO[Any]:
    """`open`, for plain files only: UTF-8 unless told otherwise. Raises NotPlain, or another OSError."""
    if "b" not in mode:
        options.setdefault("encoding", "utf-8")

    def opener(name: str, flags: int) -> int:
        return open_descriptor(name, flags, links)

    return open(path, mode, opener=opener, **options)


def read_text(path: str | os.PathLike[str], links: bool = True) -> str:
    """The whole text of a plain UTF-8 file. Raises NotPlain, another OSError, or UnicodeDecodeError."""
    with open_plain(path, links=links) as file:
        return str(file.read())


def special_entry(directory: Path) -> Path | None:
    """The first entry of a directory that is neither a plain file nor a directory, links followed; None without one.

    For libraries that open by name whatever they look for. Raises OSError where the directory cannot be read.
    """
    with os.scandir(directory) as entries:
        odd = (entry.path for entry in entries if not (entry.is_file() or entry.is_dir()))
        found = next(odd, None)
    return Path(found) if found else None


def is_plain(path: Path, links: bool = True) -> bool:
    """Whether a plain file bears the name."""
    try:
        return stat.S_ISREG(os.stat(path, follow_symlinks=links).st_mode)
    except (OSError, ValueError):
        return False


def kind_of(path: Path) -> str:
    """What bears the name, in words: `a link`, `a named pipe` …; `a plain file`, or `nothing`."""
    try:
        return _kind(os.lstat(path).st_mode)
    except OSError:
        return "nothing"


def _kind(mode: int) -> str:
    return "a plain file" if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "no file")


def _refusal(path: str | os.PathLike[str], mode: int) -> NotPlain:
    return NotPlain(errno.EINVAL, f"is {_kind(mode)}, not a plain file", os.fspath(path))
