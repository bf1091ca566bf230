"""A run's directory held by its descriptor: what a path leads to may be another thing hours later."""

import errno
import fcntl
import os
import sys
from pathlib import Path

from engine.runs.layout import RunPaths

_DARWIN_GETPATH = 50  # F_GETPATH of fcntl.h, which the Python module does not name
_LONGEST_PATH = 1024


class RunRemoved(FileNotFoundError):
    """The run's directory was removed: nothing can be kept in it any more."""


class PinnedPaths(RunPaths):
    """The files of a run in the very directory that was there at first, wherever it is moved.

    Every path raises RunRemoved once the directory is removed, even if another one bears its name by then.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._about = os.fstat(self._descriptor)

    @property
    def root(self) -> Path:
        """Where the directory is now."""
        if self._is_at(self._root):
            return self._root
        found = _path_of(self._descriptor)
        if found is not None and self._is_at(found):
            self._root = found
        elif os.fstat(self._descriptor).st_nlink == 0 or os.path.lexists(self._root):
            raise RunRemoved(errno.ENOENT, "the run's directory was removed", str(self._root))
        return self._root  # out of reach, as on a disk that was unmounted: it may come back

    def close(self) -> None:
        """Let the directory go."""
        os.close(self._descriptor)

    def _is_at(self, path: Path) -> bool:
        try:
            return os.path.samestat(os.stat(path), self._about)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True  # the disk does not answer, which says nothing of the directory


def _path_of(descriptor: int) -> Path | None:
    """Where the kernel says that an open directory lies; None where it does not know."""
    try:
        if sys.platform == "darwin":
            found = fcntl.fcntl(descriptor, _DARWIN_GETPATH, bytes(_LONGEST_PATH)).rstrip(b"\0")
            return Path(os.fsdecode(found))
        return Path(os.readlink(f"/proc/self/fd/{descriptor}"))
    except OSError:
        return None
