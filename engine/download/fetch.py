"""`model fetch`: a repository's files, each under its own name only when it is whole and its hash agrees."""

import logging
import os
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from engine.download.hub import Hub, HubFile
from engine.download.line import Lost
from engine.download.model_download import Download, FileProgress, State, begun, take_lock, workplace
from engine.download.patience import FIRST_PATIENCE, patiently
from engine.download.standing import Standing
from engine.download.stopping import Stopped, ending
from engine.download.verified import Remote, agrees, fetch_verified, size
from engine.errors import UserError
from engine.files.free_space import free_space
from engine.words.plural import counted
from engine.words.printable import message
from engine.words.sizes import on_disk

#: What must be free beside the files.
_ROOM = 2**20

Wait = Callable[[float], None]


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
        fetch.end("failed", ending(error, directory))
        print(f"cxr-cockpit: {message(ending(error, directory))}", file=sys.stderr)
    else:
        return 0
    finally:
        os.close(lock)
    return 1


class Fetch:
    """One download. wait: how it passes the time between two tries."""

    def __init__(self, repo: str, revision: str, directory: Path, wait: Wait = time.sleep) -> None:
        self._wait = wait
        self._directory = directory
        self._standing = Standing(replace(begun(repo, revision, directory), pid=os.getpid()))

    def run(self) -> Download:
        """Make the directory whole. Raises `UserError`, `Lost` when patience is at its end, `OSError`."""
        asked = self._standing.download
        self._standing.tell("asking")
        hub = Hub(asked.repo)
        commit = patiently(lambda: hub.commit(asked.revision), FIRST_PATIENCE, self._pause)
        files = patiently(lambda: hub.files(commit), FIRST_PATIENCE, self._pause)
        self._standing.list(
            commit, tuple(FileProgress(file.path, file.bytes, 0, "to come") for file in files)
        )
        self._clear_parts(files)
        missing = [file for file in files if not self._is_here(file)]
        self._ask_disk(missing)
        for file in missing:
            fetch_verified(
                _remote(file),
                self._directory / file.path,
                self._part(file),
                partial(hub.content, commit, file),
                _FileWatch(self._standing, file.path),
                self._pause,
                "what the hub sends has not the hash that it names",
            )
            self._standing.progress(file.path, file.bytes, "whole")
            self._standing.tell("fetching")
        self.end("finished", f"{counted(len(files), 'file')}, every size and hash agrees")
        return self._standing.download

    def end(self, state: State, message: str, usage: bool = False) -> None:
        """The last word."""
        self._standing.end(state, message, usage)

    def _pause(self, lost: Lost, seconds: float) -> None:
        self._standing.tell("waiting", f"{lost}; trying again in {seconds:.0f} s")
        self._wait(seconds)

    def _is_here(self, file: HubFile) -> bool:
        """Whether the file lies in the directory whole, however it came there."""
        path = self._directory / file.path
        watch = _FileWatch(self._standing, file.path)
        here = path.is_file() and path.stat().st_size == file.bytes and agrees(_remote(file), path, watch)
        done = file.bytes if here else min(size(self._part(file)), file.bytes)
        self._standing.progress(file.path, done, "whole" if here else "to come")
        return here

    def _ask_disk(self, missing: list[HubFile]) -> None:
        needed = sum(file.bytes - min(size(self._part(file)), file.bytes) for file in missing)
        needed += _ROOM if needed else 0
        free = free_space(self._directory)
        if free < needed:
            raise UserError(
                f"{self._directory}: {on_disk(needed)} are still to come, "
                f"the disk has {on_disk(free)} free; make room or choose another place with --to"
            )

    def _part(self, file: HubFile) -> Path:
        """Named by the hash: a file that has changed on the hub begins anew."""
        return workplace(self._directory) / f"{file.digest}.part"

    def _clear_parts(self, files: list[HubFile]) -> None:
        """Remove parts of what the repository no longer has."""
        wanted = {self._part(file) for file in files}
        for part in workplace(self._directory).glob("*.part"):
            if part not in wanted:
                part.unlink()


class _FileWatch:
    """Tells the standing of one file."""

    def __init__(self, standing: Standing, path: str) -> None:
        self._standing = standing
        self._path = path

    def progress(self, done: int, total: int | None) -> None:
        self._standing.progress(self._path, done, "under way")
        self._standing.tell("fetching", sparsely=True)

    def checking(self) -> None:
        self._standing.tell("checking", self._path, sparsely=True)


def _remote(file: HubFile) -> Remote:
    return Remote(file.path, file.bytes, file.digest, git_blob=file.sha256 is None)
