"""A base model's download as others see it: started in a process of its own, its state in a file beside its bytes.

`DIR/.fetch/` holds the state (JSON, replaced as a whole), the lock that the download holds while it lives, its log,
and the parts of files that are not whole yet. Whatever lies in DIR itself under its own name is whole and verified.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from engine.errors import UserError
from engine.files.file_lock import lock_within, try_lock
from engine.files.json_file import read_json
from engine.files.plain_file import open_descriptor

#: The base model that the project is about.
DEFAULT_REPO = "microsoft/llava-med-v1.5-mistral-7b"

#: Where its descriptor of the held lock reaches the download's process.
LOCK_FD_VARIABLE = "CXR_FETCH_LOCK_FD"

#: Who looks at a download holds its lock, shared, for an instant; who wants it outlasts that.
LOOK_SECONDS = 1.0

State = Literal["asking", "checking", "fetching", "waiting", "finished", "stopped", "failed", "interrupted"]
FileState = Literal["to come", "under way", "whole"]


@dataclass(frozen=True, slots=True)
class FileProgress:
    """One file of the model. done: bytes that are here."""

    path: str
    bytes: int
    done: int
    state: FileState


@dataclass(frozen=True, slots=True)
class Download:
    """How a download stands.

    state: `asking` the hub what there is, `checking` what is here already, `fetching`, `waiting` for the hub or the
    line (message says why), and one of the ends; `interrupted` is never written: its process is gone without a word.
    usage: whether it failed by what was asked for rather than by what happened. commit: "" until the hub has told.
    bytes_per_second, seconds_left: None while unknown. pid: of its process, None once that has ended.
    """

    repo: str
    revision: str
    directory: Path
    state: State = "asking"
    message: str = ""
    usage: bool = False
    commit: str = ""
    files: tuple[FileProgress, ...] = ()
    bytes_per_second: float | None = None
    seconds_left: float | None = None
    pid: int | None = None

    @property
    def live(self) -> bool:
        """Whether its process was at work when this was written."""
        return self.state in ("asking", "checking", "fetching", "waiting")

    @property
    def total(self) -> int:
        """Bytes of all files; 0 until they are known."""
        return sum(file.bytes for file in self.files)

    @property
    def done(self) -> int:
        """Bytes that are here."""
        return sum(file.done for file in self.files)

    @property
    def under_way(self) -> FileProgress | None:
        """The file that is being fetched."""
        return next((file for file in self.files if file.state == "under way"), None)


def default_directory(repo: str) -> Path:
    """`models/NAME` under the working directory: where the shipped configurations look."""
    return Path("models") / repo.rpartition("/")[2]


def workplace(directory: Path) -> Path:
    """Where a download keeps its state, its lock and its parts."""
    return directory / ".fetch"


def read_download(directory: Path) -> Download | None:
    """How the download into `directory` stands; None where none was ever begun. Never blocks."""
    known = _written(directory)
    if known and known.live and not _held(directory):
        known = _written(directory)  # its last word may have come in between
        if known and known.live:
            return replace(known, state="interrupted", pid=None, bytes_per_second=None, seconds_left=None)
    return known


def _written(directory: Path) -> Download | None:
    """What the state file says; None where there is none, or no such thing."""
    try:
        return _from_json(read_json(workplace(directory) / "state.json"), directory)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_download(download: Download) -> None:
    """Replace the state file, as the holder of the download's lock. Raises OSError, the old one in place."""
    place = workplace(download.directory)
    partial = place / "state.json.partial"  # by one name: what a death leaves is written over
    text = json.dumps(asdict(download) | {"directory": None})
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, place / "state.json")
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def begun(repo: str, revision: str, directory: Path) -> Download:
    """The state a download begins with. Raises `UserError` where the directory holds another repository's files."""
    before = read_download(directory)
    if before is None or not before.commit:
        return Download(repo, revision, directory)
    if before.repo != repo:
        raise UserError(f"{directory}: holds {before.repo}; choose another place for {repo} with --to")
    return Download(repo, revision, directory, commit=before.commit, files=before.files)


def start_download(repo: str, revision: str, directory: Path) -> Download:
    """Begin or go on with the download, in a process that outlives this one. One that lives is left to itself.

    Raises `UserError` where the directory cannot be made or holds another repository's files.
    """
    lock = take_lock(directory)
    if lock is None:
        return read_download(directory) or Download(repo, revision, directory)
    argv = [sys.executable, "-P", "-m", "engine", "fetch", repo, "--revision", revision, "--to"]
    try:
        first = begun(repo, revision, directory)
        write_download(first)
        log = open_descriptor(workplace(directory) / "log", os.O_WRONLY | os.O_TRUNC | os.O_CREAT)
        try:
            child = subprocess.Popen(
                [*argv, str(directory)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock,),
                env=os.environ | {LOCK_FD_VARIABLE: str(lock)},
            )
        finally:
            os.close(log)
    except OSError as error:
        raise UserError(f"{directory}: the download could not be started: {error}") from None
    finally:
        os.close(lock)
    # while the launcher lives, someone must collect the child, or it stays behind as a zombie
    threading.Thread(target=child.wait, name=f"reap-{child.pid}", daemon=True).start()
    return first


def stop_download(download: Download) -> None:
    """Ask a living download to end; what is here stays, and the next one goes on from there."""
    if download.pid is not None and _held(download.directory):
        os.kill(download.pid, signal.SIGTERM)


def take_lock(directory: Path) -> int | None:
    """The descriptor of the download's lock, the directory made for it; None if another download holds it."""
    handed_over = os.environ.pop(LOCK_FD_VARIABLE, None)
    if handed_over is not None:
        return int(handed_over)
    place = workplace(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        place.mkdir(mode=0o700, exist_ok=True)
        lock = open_descriptor(place / "lock", os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise UserError(
            f"{directory}: cannot be written: {error.strerror}; choose another place with --to"
        ) from None
    if not lock_within(lock, LOOK_SECONDS):
        os.close(lock)
        return None
    return lock


def _held(directory: Path) -> bool:
    try:
        lock = open_descriptor(workplace(directory) / "lock")
    except OSError:
        return False
    try:
        return not try_lock(lock, shared=True)
    finally:
        os.close(lock)


def _from_json(raw: dict[str, Any], directory: Path) -> Download:
    if raw["state"] not in get_args(State):
        raise ValueError(raw["state"])
    files = tuple(FileProgress(**file) for file in raw["files"])
    return Download(**{**raw, "directory": directory, "files": files})
