"""`data download`: a subset of MIMIC, several files at once, each whole and verified, and on again where it was cut."""

import json
import logging
import os
import queue
import random
import re
import shutil
import threading
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from engine.download.line import Lost
from engine.download.mimic_files import (
    FILM_BYTES,
    METADATA,
    PROJECTS,
    SPLIT_TABLE,
    SUMS,
    Film,
    Project,
    Subset,
    chosen,
    read_films,
    read_sums,
)
from engine.download.model_download import Download, FileProgress, workplace
from engine.download.physionet import NotThere, PhysioNet
from engine.download.standing import Standing
from engine.download.stopping import Stopped
from engine.download.verified import Remote, agrees, fetch_verified, size
from engine.errors import UserError
from engine.files.plain_file import open_plain
from engine.words.plural import counted
from engine.words.sizes import on_disk

_MISMATCH = "what the server sends has not the hash that SHA256SUMS.txt names"
_REPORT = re.compile(r"(?:.*/)?(files/p1\d/p1\d{7}/s(5\d{7})\.txt)")
#: A report is a page of text.
_REPORT_BYTES, _LONGEST_REPORT = 1_000, 1_000_000
_REPORTS_ZIP = "mimic-cxr-reports.zip"
#: What must be free beside the files.
_ROOM = 2**26
_TICK_SECONDS = 0.2
#: Seconds for the threads to end once they are asked to; what they write is never more than parts.
_PARTING_SECONDS = 5.0


@dataclass
class Outcome:
    """How it went.

    whole: files that are here, verified. by_size: how many of them by their size alone, for want of a hash. failed:
    those that are not here, and why. remarks: what else is to be said.
    """

    whole: int = 0
    by_size: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def words(self) -> str:
        parts = [f"{counted(self.whole, 'file')} whole", f"{self.whole - self.by_size:,} by their hash"]
        parts += [f"{self.by_size:,} by their size alone"] if self.by_size else []
        parts += [f"{len(self.failed):,} missing"] if self.failed else []
        return ", ".join(parts)

    def add(self, hashed: bool) -> None:
        """One more file is whole; any thread may say so."""
        with self._lock:
            self.whole += 1
            self.by_size += not hashed


@dataclass(frozen=True, slots=True)
class _Item:
    """One file to be fetched. listed: the name under which its progress is told."""

    project: Project
    path: str
    digest: str | None
    listed: str

    @property
    def local(self) -> str:
        return f"{self.project.place}/{self.path}"


class DataDownload:
    """One download into a directory whose lock the caller holds.

    parts: names of PROJECTS. skip: tables that are left out, by name. show: hears how it stands a few times a second.
    """

    def __init__(
        self,
        server: PhysioNet,
        directory: Path,
        parts: Sequence[str],
        subset: Subset,
        jobs: int,
        skip: Sequence[str] = (),
        show: Callable[[Download], None] = lambda _download: None,
    ) -> None:
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        self._server = server
        self._directory = directory
        self._parts = parts
        self._subset = subset
        self._jobs = jobs
        self._skip = skip
        self._show = show
        self._stop = threading.Event()
        self.outcome = Outcome()
        self.standing = Standing(Download(server.host, "", directory, pid=os.getpid()))
        self._known = _Whole(workplace(directory) / "whole.jsonl")
        self._many = _Many(self.standing)

    def run(self) -> Outcome:
        """Fetch what is missing. Raises UserError, Lost, OSError; what has come until then stays."""
        self.standing.tell("asking")
        self._show(self.standing.download)
        projects = [PROJECTS[part] for part in self._parts]
        sums = [self._item(project, SUMS, None) for project in projects]
        self._list(sums)
        self._fetch(sums)
        tables = [item for project in projects for item in self._tables(project)]
        self._list(tables)
        self._ask_disk(sum(self._missing_bytes(item) for item in tables))
        self._fetch(tables)
        films = self._choose_films() if "films" in self._parts else None
        if films is not None:
            self._fetch_films(films)
        if "reports" in self._parts and not self._skipped(_REPORTS_ZIP):
            self._take_reports(films)
        self.standing.end("failed" if self.outcome.failed else "finished", self.outcome.words)
        return self.outcome

    def _item(self, project: Project, path: str, digest: str | None) -> _Item:
        return _Item(project, path, digest, f"{project.place}/{path}")

    def _tables(self, project: Project) -> list[_Item]:
        names = [name for name in project.tables if not self._skipped(name)]
        listing = self._directory / project.place / SUMS
        sums = read_sums(listing, names) if listing.is_file() else {}
        if unlisted := [name for name in names if name not in sums and name != _REPORTS_ZIP]:
            self.outcome.remarks.append(
                f"{project.place}: {counted(len(unlisted), 'table')} that no {SUMS} of the server lists, so that only "
                f"sizes were compared (first: {unlisted[0]})"
            )
        return [self._item(project, name, sums.get(name)) for name in names]

    def _skipped(self, name: str) -> bool:
        stem = name.rsplit("/", 1)[-1]
        return any(stem in (given, f"{given}.csv.gz", f"{given}.zip") for given in self._skip)

    def _list(self, tables: Sequence[_Item]) -> None:
        """Make the tables known to whoever looks, with their sizes as far as the server tells."""
        files = [
            FileProgress(item.listed, self._server.size(item.project, item.path) or 0, 0, "to come")
            for item in tables
        ]
        self.standing.list("", (*self.standing.download.files, *files))

    def _missing_bytes(self, item: _Item) -> int:
        listed = next(file for file in self.standing.download.files if file.path == item.listed)
        return max(0, listed.bytes - size(self._directory / item.local) - size(self._part(item)))

    def _ask_disk(self, needed: int) -> None:
        free = shutil.disk_usage(self._directory).free
        if needed and free < needed + _ROOM:
            raise UserError(
                f"{self._directory}: about {on_disk(needed)} are still to come, the disk has {on_disk(free)} free; "
                "make room, ask for fewer films or choose another place with --to"
            )

    def _choose_films(self) -> list[Film]:
        place = self._directory / PROJECTS["films"].place
        self.standing.tell("checking", "which films are asked for")
        for name in (SPLIT_TABLE, METADATA):
            if not (place / name).is_file() and (name == SPLIT_TABLE or self._subset.frontal):
                raise UserError(f"--skip: without {name} nobody knows which films there are")
        films, remarks = chosen(
            read_films(place / SPLIT_TABLE, place / METADATA if self._subset.frontal else None), self._subset
        )
        self.outcome.remarks += remarks
        return films

    def _fetch_films(self, films: Sequence[Film]) -> None:
        project = PROJECTS["films"]
        sums = read_sums(self._directory / project.place / SUMS, (film.path for film in films))
        listed = f"{project.place}/files ({counted(len(films), 'film')})"
        items = [_Item(project, film.path, sums[film.path], listed) for film in films if film.path in sums]
        for film in films:
            if film.path not in sums:
                self.outcome.failed[film.path] = f"{SUMS} does not list it"
        here = sum(size(self._directory / item.local) > 0 for item in items)
        self._many.begin(listed, len(items), FILM_BYTES)
        self._ask_disk((len(items) - here) * FILM_BYTES)
        self._fetch(items)

    def _fetch(self, items: Sequence[_Item]) -> None:
        """Fetch all of them, several at once. Raises the first error that concerns them all."""
        waiting: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        for item in items:
            waiting.put(item)
        fatal: list[BaseException] = []
        threads = [
            threading.Thread(target=self._work, args=(waiting, fatal), name=f"download-{n}", daemon=True)
            for n in range(min(self._jobs, len(items)))
        ]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                next(thread for thread in threads if thread.is_alive() or thread is threads[-1]).join(
                    _TICK_SECONDS
                )
                self._show(self.standing.download)
        except BaseException:
            self._end(threads)
            raise
        if fatal:
            raise fatal[0]

    def _end(self, threads: Sequence[threading.Thread]) -> None:
        self._stop.set()
        self._server.close()
        for thread in threads:
            thread.join(_PARTING_SECONDS / len(threads))

    def _work(self, waiting: "queue.SimpleQueue[_Item]", fatal: list[BaseException]) -> None:
        while not self._stop.is_set():
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                self._one(item)
            except Stopped:
                return
            except BaseException as error:
                if not self._stop.is_set():
                    fatal.append(error)
                    self._stop.set()
                return

    def _one(self, item: _Item) -> None:
        """One file, whole and verified, or told as failed."""
        target = self._directory / item.local
        remote = Remote(item.local, None, item.digest)
        watch = _Watch(
            self._many if item.listed == self._many.listed else None, self.standing, item, self._stop
        )
        if size(target) and self._agrees(item, remote, target, watch):
            whole = size(target)
        else:
            try:
                whole = fetch_verified(
                    remote,
                    target,
                    self._part(item),
                    partial(self._server.content, item.project, item.path),
                    watch,
                    self._pause,
                    _MISMATCH,
                    jitter=lambda seconds: seconds * random.uniform(0.5, 1.0),
                )
            except NotThere as missing:
                if item.path == _REPORTS_ZIP or (item.path == SUMS and item.project is not PROJECTS["films"]):
                    self.standing.drop(item.listed)
                    return  # there is a way without it
                if item.listed != self._many.listed:
                    raise UserError(
                        f"{missing}; does --base hold this version? --take and --skip leave out what it has not"
                    ) from None
                self.outcome.failed[item.local] = str(missing)
                self._many.lost(item)
                return
            except Lost as lost:
                if _MISMATCH not in str(lost) or item.listed != self._many.listed:
                    raise
                self.outcome.failed[item.local] = str(lost)
                self._many.lost(item)
                return
        if item.digest is not None:
            self._known.add(item.local, target, item.digest)
        if item.path != SUMS:
            self.outcome.add(item.digest is not None)
        watch.whole(whole)

    def _agrees(self, item: _Item, remote: Remote, target: Path, watch: "_Watch") -> bool:
        """Whether what is here is the file: by its hash, or where nobody names one, by its size."""
        if item.digest is None:
            return self._server.size(item.project, item.path) in (None, size(target))
        return self._known.has(item.local, target, item.digest) or agrees(remote, target, watch)

    def _pause(self, lost: Lost, seconds: float) -> None:
        # Who asked for a pause is left alone by all; a second on top spreads them.
        seconds = max(seconds, self._server.to_wait())
        self.standing.tell("waiting", f"{lost}; trying again in {seconds:.0f} s")
        if self._stop.wait(seconds):
            raise Stopped

    def _part(self, item: _Item) -> Path:
        """Named by the hash: a file that has changed on the server begins anew."""
        name = item.digest or f"{item.project.slug}-{item.project.version}-{item.path}".replace("/", "-")
        return workplace(self._directory) / f"{name}.part"

    def _take_reports(self, films: Sequence[Film] | None) -> None:
        """Unpack their archive, or where the server has none, fetch those of the chosen films one by one."""
        project = PROJECTS["reports"]
        if (self._directory / project.place / _REPORTS_ZIP).is_file():
            self._unpack(films)
            return
        if films is None:
            raise UserError(
                f"{self._server.host} has no {_REPORTS_ZIP}; to fetch single reports it takes films, too"
            )
        listing = self._directory / project.place / SUMS
        paths = sorted({film.report for film in films})
        sums = read_sums(listing, paths) if listing.is_file() else {}
        listed = f"{project.place}/files ({counted(len(paths), 'report')})"
        self._many.begin(listed, len(paths), _REPORT_BYTES)
        self._fetch([_Item(project, path, sums.get(path), listed) for path in paths])

    def _unpack(self, films: Sequence[Film] | None) -> None:
        """The reports of the chosen studies as the files that `data build` looks for; all where none was chosen."""
        place = self._directory / PROJECTS["reports"].place
        studies = None if films is None else {film.study_id for film in films}
        written, met = 0, set()
        self.standing.tell("checking", "unpacking the reports")
        try:
            with zipfile.ZipFile(place / _REPORTS_ZIP) as packed:
                for entry in packed.infolist():
                    match = _REPORT.fullmatch(entry.filename)
                    if match is None or (studies is not None and match[2] not in studies):
                        continue
                    met.add(match[2])
                    target = place / match[1]
                    if size(target) != entry.file_size:
                        if entry.file_size > _LONGEST_REPORT:
                            raise UserError(
                                f"{place / _REPORTS_ZIP}: {entry.filename} is too long for a report"
                            )
                        _write(target, packed.read(entry))
                        written += 1
                    self.standing.tell("checking", "unpacking the reports", sparsely=True)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise UserError(f"{place / _REPORTS_ZIP}: cannot be unpacked: {error}") from error
        self.outcome.remarks.append(f"{counted(written, 'report')} unpacked")
        if studies is not None and (lacking := studies - met):
            self.outcome.remarks.append(f"{counted(len(lacking), 'study', 'studies')} without a report")


class _Many:
    """Many files as one line of the state: ten thousand would be too many to write and to read twice a second."""

    def __init__(self, standing: Standing) -> None:
        self.listed: str | None = None
        self._standing = standing
        self._lock = threading.Lock()
        self._begin(0, 0)

    def begin(self, listed: str, files: int, guess: int) -> None:
        """files: how many there are, of about `guess` bytes each."""
        self.listed = listed
        self._begin(files, guess)
        before = self._standing.download.files
        self._standing.list("", (*before, FileProgress(listed, files * guess, 0, "to come")))

    def _begin(self, files: int, guess: int) -> None:
        self._files, self._guess = files, guess
        self._done = self._total = self._sized = 0
        self._files_seen: dict[str, tuple[int, int | None]] = {}

    def heard(self, item: _Item, done: int, total: int | None) -> None:
        with self._lock:
            before, known = self._files_seen.get(item.path, (0, None))
            total = known if total is None else total
            self._files_seen[item.path] = (done, total)
            self._add(done - before, known, total)

    def lost(self, item: _Item) -> None:
        with self._lock:
            done, known = self._files_seen.pop(item.path, (0, None))
            self._files -= 1
            self._add(-done, known, None)

    def _add(self, done: int, known: int | None, total: int | None) -> None:
        """Change the sums by one file's, whose bytes were `known` and are `total` now, and tell them.

        Sums and no loop: this happens with every block of every file.
        """
        self._done += done
        self._total += (total or 0) - (known or 0)
        self._sized += (total is not None) - (known is not None)
        mean = self._total / self._sized if self._sized else self._guess
        expected = self._total + int((self._files - self._sized) * mean)
        whole = self._sized == self._files and self._done == expected
        self._standing.progress(self.listed or "", self._done, "whole" if whole else "under way", expected)


class _Watch:
    """Tells of one file, and ends its thread when all shall end."""

    def __init__(self, many: _Many | None, standing: Standing, item: _Item, stop: threading.Event) -> None:
        self._many = many
        self._standing = standing
        self._item = item
        self._stop = stop

    def progress(self, done: int, total: int | None) -> None:
        if self._stop.is_set():
            raise Stopped
        self._heard(done, total)
        self._standing.tell("fetching", sparsely=True)

    def checking(self) -> None:
        if self._stop.is_set():
            raise Stopped
        self._standing.tell("fetching", sparsely=True)

    def whole(self, total: int) -> None:
        self._heard(total, total, whole=True)

    def _heard(self, done: int, total: int | None, whole: bool = False) -> None:
        if self._many is not None:
            self._many.heard(self._item, done, total)
        else:
            self._standing.progress(self._item.listed, done, "whole" if whole else "under way", total)


class _Whole:
    """Which files were found whole before, by size and time of change: a terabyte is not hashed at every start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._found: dict[str, list[object]] = {}
        try:
            with open_plain(path, errors="replace") as file:
                for line in file:
                    self._learn(line)
        except FileNotFoundError:
            return

    def has(self, name: str, path: Path, digest: str | None) -> bool:
        return digest is not None and self._found.get(name) == self._mark(path, digest)

    def add(self, name: str, path: Path, digest: str) -> None:
        mark = self._mark(path, digest)
        with self._lock:
            if self._found.get(name) == mark:
                return
            self._found[name] = mark
            with open(self._path, "a", encoding="utf-8", opener=partial(os.open, mode=0o600)) as file:
                file.write(json.dumps([name, *mark]) + "\n")

    def _learn(self, line: str) -> None:
        try:
            name, *mark = json.loads(line)
        except (ValueError, TypeError):  # cut short by a death
            return
        self._found[str(name)] = mark

    @staticmethod
    def _mark(path: Path, digest: str) -> list[object]:
        found = path.stat()
        return [digest, found.st_size, found.st_mtime_ns]


def _write(path: Path, content: bytes) -> None:
    """In one step, readable by its owner only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial_path = path.with_name(f".{path.name}.partial")
    descriptor = os.open(partial_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.replace(partial_path, path)
