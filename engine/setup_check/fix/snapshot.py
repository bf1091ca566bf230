"""What a fix is about to change, kept byte for byte, and put back on request."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.files.free_space import free_space
from engine.setup_check.probe.facts import Facts
from engine.setup_check.versions import canonical


@dataclass(slots=True)
class Kept:
    """One file as it was. `link` is where a symbolic link pointed."""

    path: str
    copy: str
    mode: int
    mtime_ns: int
    digest: str
    link: str | None = None


@dataclass(slots=True)
class Snapshot:
    """State of some packages before a fix. `written` are the files that were there after it."""

    folder: str
    executable: str
    prefix: str
    taken: float
    names: list[str]
    places: list[str]
    kept: list[Kept] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    tops: list[str] = field(default_factory=list)
    state: str = "started"
    commands: list[list[str]] = field(default_factory=list)
    moves: list[list[str]] = field(default_factory=list)
    """[path, path afterwards] of what got another name."""
    there: list[str] | None = None
    """Metadata folders of all packages before the fix; what is new after it came with it, planned or not."""

    @property
    def what(self) -> list[str]:
        """What was changed, in words: packages, then files that were removed or moved."""
        lone = (command[:-1] if command[0] == "mv" else command for command in self.commands)
        files = (
            os.path.basename(word) for command in lone if command[0] in ("rm", "mv") for word in command[1:]
        )
        return [*self.names, *(name for name in files if not name.startswith("-"))]

    def save(self) -> None:
        """Write the manifest, whole or not at all, and onto the platter."""
        target = Path(self.folder) / "manifest.json"
        part = target.with_suffix(".part")
        part.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)


def snapshots_folder(prefix: str) -> Path:
    """Where the snapshots of one environment lie: $XDG_STATE_HOME/cxr-cockpit/mends/…"""
    # Named as it was when the first were taken: a fix from before can be undone.
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return state / "cxr-cockpit" / "mends" / hashlib.blake2b(os.fsencode(prefix), digest_size=8).hexdigest()


def take(
    facts: Facts,
    names: Iterable[str],
    paths: Iterable[str],
    commands: Iterable[Iterable[str]],
    moves: Iterable[tuple[str, str]] = (),
) -> Snapshot:
    """Keep every file of the packages `names`, and `paths`. UserError if the disk has no room for it."""
    prefix = str(facts.start.get("prefix", facts.executable))
    wanted = sorted({canonical(name) for name in names})
    places = sorted(_own_places(facts, prefix))
    distributions = [one for one in facts.distributions if one.key in wanted and one.place in places]
    tops = sorted(str(Path(one.place) / top) for one in distributions for top in one.tops)
    files = sorted({*_recorded(wanted, places), *_below([*tops, *paths])})
    files = [file for file in files if os.path.lexists(file)]
    home = snapshots_folder(prefix)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    _refuse_if_full(home, files)
    folder = home / f"{time.strftime('%Y%m%d-%H%M%S')}-{len(list(home.iterdir())):04d}"
    folder.mkdir(mode=0o700)
    snapshot = Snapshot(
        str(folder), facts.executable, prefix, time.time(), wanted, places, tops=tops,
        commands=[list(command) for command in commands], moves=[list(move) for move in moves],
        there=_metadata_folders(places),
    )  # fmt: skip
    for number, file in enumerate(files):
        snapshot.kept.append(_keep(file, folder / f"{number:06d}"))
    snapshot.save()
    return snapshot


def finish(snapshot: Snapshot) -> None:
    """Note what is there now, so that undoing knows what the fix wrote."""
    snapshot.names = sorted({*snapshot.names, *_new_names(snapshot)})
    snapshot.written = sorted(_recorded(snapshot.names, snapshot.places))
    snapshot.state = "done"
    snapshot.save()


def newest(prefix: str) -> Snapshot | None:
    """The last fix of an environment that was not undone."""
    home = snapshots_folder(prefix)
    for manifest in sorted(home.glob("*/manifest.json"), reverse=True):
        raw: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
        raw["kept"] = [Kept(**one) for one in raw["kept"]]
        snapshot = Snapshot(**raw)
        if snapshot.state in ("started", "done"):
            return snapshot
    return None


def undo(snapshot: Snapshot) -> int:
    """Put everything back; returns the number of files. UserError, with nothing changed, if other hands were in it.

    What the fix wrote is removed, what was there before returns with content, mode and time; then it is verified.
    """
    _refuse_if_damaged(snapshot)
    if snapshot.state == "started":
        snapshot.names = sorted({*snapshot.names, *_new_names(snapshot)})
    now = _recorded(snapshot.names, snapshot.places)
    if snapshot.state == "done" and sorted(now) != snapshot.written:
        raise UserError(
            f"{snapshot.prefix}: {', '.join(snapshot.names)} were changed again after that fix; "
            f"what was there before it is kept in {snapshot.folder}"
        )
    _move_back(snapshot)
    before = {one.path for one in snapshot.kept}
    extra = set(now) | set(snapshot.written)
    if snapshot.state == "started":  # it was cut off: what it wrote need not be recorded
        extra |= set(_below(snapshot.tops))
    for file in sorted(extra - before):
        if os.path.lexists(file):
            os.unlink(file)
    _drop_empty({os.path.dirname(file) for file in extra - before}, snapshot.places)
    for one in snapshot.kept:
        _put_back(one, Path(snapshot.folder))
    wrong = [one.path for one in snapshot.kept if _digest(one.path) != one.digest]
    if wrong:
        raise UserError(f"{wrong[0]} did not return as it was; its copy is in {snapshot.folder}")
    snapshot.state = "undone"
    try:
        snapshot.save()
    except OSError as error:  # all is as it was; undoing once more would find nothing to do
        if error.errno != errno.EROFS:
            raise
    return len(snapshot.kept)


def _move_back(snapshot: Snapshot) -> None:
    """What was moved aside gets its name back. UserError, with nothing changed, if there is another of that name."""
    moved = [(path, after) for path, after in snapshot.moves if os.path.lexists(after)]
    taken = [path for path, _ in moved if os.path.lexists(path)]
    if taken:
        raise UserError(f"{taken[0]}: there is one again; move it away, then undo")
    for path, after in moved:
        os.rename(after, path)


def _own_places(facts: Facts, prefix: str) -> set[str]:
    """The site folders that belong to this environment; a .pth file may show others, which no installer touches."""
    found = {str(facts.start[key]) for key in ("purelib", "platlib") if facts.start.get(key)}
    return found | {one.place for one in facts.distributions if Path(one.place).is_relative_to(prefix)}


def _metadata_folders(places: Iterable[str]) -> list[str]:
    return [
        os.path.join(place, name)
        for place in places
        if os.path.isdir(place)
        for name in sorted(os.listdir(place))
        if name.endswith((".dist-info", ".egg-info"))
    ]


def _new_names(snapshot: Snapshot) -> set[str]:
    """Packages that came with the fix, also those that nobody had foreseen."""
    if snapshot.there is None:  # kept by an earlier version
        return set()
    before = {_name_of(one) for one in snapshot.there}
    return {_name_of(one) for one in _metadata_folders(snapshot.places)} - before


def _name_of(folder: str) -> str:
    return canonical(os.path.basename(folder).rpartition(".")[0].split("-")[0])


def _recorded(names: Iterable[str], places: Iterable[str]) -> set[str]:
    """The files that the packages record, compiled companions and the whole metadata folders included."""
    wanted = set(names)
    found: set[str] = set()
    for place in places:
        if not os.path.isdir(place):
            continue
        for name in os.listdir(place):
            if not name.endswith((".dist-info", ".egg-info")) or _name_of(name) not in wanted:
                continue
            metadata = os.path.join(place, name)
            found.update(_below([metadata]))
            record = os.path.join(metadata, "RECORD")
            if os.path.isfile(record):
                with open(record, newline="", encoding="utf-8", errors="surrogateescape") as file:
                    rows = [row[0] for row in csv.reader(file) if row]
                for row in rows:
                    found.update(_with_compiled(os.path.normpath(os.path.join(place, row))))
    return {file for file in found if os.path.lexists(file)}


def _with_compiled(file: str) -> Iterator[str]:
    yield file
    if file.endswith(".py"):
        cache = os.path.join(os.path.dirname(file), "__pycache__")
        stem = os.path.basename(file)[:-3] + "."
        if os.path.isdir(cache):
            for name in os.listdir(cache):
                if name.startswith(stem) and name.endswith(".pyc"):
                    yield os.path.join(cache, name)


def _below(paths: Iterable[str]) -> Iterator[str]:
    """Every file at or below the paths; a module `x` is its folder or x.py."""
    for path in paths:
        for one in (path, path + ".py"):
            if os.path.islink(one) or os.path.isfile(one):
                yield one
            elif os.path.isdir(one):
                for folder, folders, files in os.walk(one):
                    yield from (os.path.join(folder, name) for name in files)
                    linked = [name for name in folders if os.path.islink(os.path.join(folder, name))]
                    yield from (os.path.join(folder, name) for name in linked)


def _keep(file: str, copy: Path) -> Kept:
    about = os.lstat(file)
    if stat.S_ISLNK(about.st_mode):
        return Kept(file, "", about.st_mode, about.st_mtime_ns, _digest(file), os.readlink(file))
    shutil.copyfile(file, copy)
    copy.chmod(0o600)
    return Kept(file, copy.name, stat.S_IMODE(about.st_mode), about.st_mtime_ns, _digest(file))


def _put_back(one: Kept, folder: Path) -> None:
    """Write beside the place and rename, so that a file is whole at every instant; what is the same stays."""
    if _digest(one.path) == one.digest:
        if one.link is None:
            about = os.lstat(one.path)
            if stat.S_IMODE(about.st_mode) != one.mode:
                os.chmod(one.path, one.mode)
            if about.st_mtime_ns != one.mtime_ns:
                os.utime(one.path, ns=(one.mtime_ns, one.mtime_ns))
        return
    os.makedirs(os.path.dirname(one.path), exist_ok=True)
    part = one.path + ".cxr-part"
    if one.link is not None:
        os.symlink(one.link, part)
    else:
        shutil.copyfile(folder / one.copy, part)
        os.chmod(part, one.mode)
        os.utime(part, ns=(one.mtime_ns, one.mtime_ns))
    os.replace(part, one.path)


def _digest(file: str) -> str:
    if os.path.islink(file):
        return "link:" + os.readlink(file)
    if not os.path.isfile(file):
        return "missing"
    digest = hashlib.blake2b(digest_size=20)
    with open(file, "rb") as opened:
        while block := opened.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _refuse_if_full(home: Path, files: list[str]) -> None:
    need = sum(os.lstat(file).st_size for file in files)
    free = free_space(home)
    if need * 1.05 + (64 << 20) > free:
        raise UserError(
            f"{home}: {need >> 20} MB are needed to keep what would change, {free >> 20} MB are free; "
            "make room, or set XDG_STATE_HOME to another disk"
        )


def _refuse_if_damaged(snapshot: Snapshot) -> None:
    folder = Path(snapshot.folder)
    for one in snapshot.kept:
        if one.link is None and _digest(str(folder / one.copy)) != one.digest:
            raise UserError(
                f"{folder / one.copy}: the kept copy of {one.path} is damaged; nothing was changed"
            )


def _drop_empty(folders: set[str], places: list[str]) -> None:
    """Remove folders that are empty now, and their parents up to the site folder."""
    for folder in sorted(folders, key=len, reverse=True):
        while folder and folder not in places and os.path.isdir(folder):
            names = os.listdir(folder)
            if names and names != ["__pycache__"]:
                break
            if names and os.listdir(os.path.join(folder, "__pycache__")):
                break
            shutil.rmtree(folder)
            folder = os.path.dirname(folder)
