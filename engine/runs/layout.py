"""Where things lie in a run directory, and how a run is found by name or path."""

import difflib
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from engine.errors import UserError
from engine.files.plain_file import kind_of
from engine.paths import expanded

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CHECKPOINT = re.compile(r"(?P<stage>[a-z][a-z0-9_]*)-(?P<step>\d{6,})")


class RunPaths:
    """The files of one run."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def root(self) -> Path:
        return self._root

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunPaths) and self._root == other._root

    def __hash__(self) -> int:
        return hash(self._root)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._root)!r})"

    @property
    def name(self) -> str:
        return self.root.name

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    @property
    def db(self) -> Path:
        return self.root / "run.db"

    @property
    def log(self) -> Path:
        return self.root / "training.log"

    @property
    def lock(self) -> Path:
        return self.root / "engine.lock"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def resume_command(self) -> str:
        """What a person types to go on with this run."""
        return self.command("resume")

    def command(self, verb: str, *words: str) -> str:
        """What a person types for this run: `cxr-cockpit VERB NAME`, then the words."""
        return command_line(verb, self.name, *words, runs=self.root.parent)

    def is_run(self) -> bool:
        """Whether the directory holds a run: an engine was started in it, or is about to be.

        One that may not be looked into counts: whoever looks is told why, rather than nothing.
        """
        # os.path's: the one of a Path raises where the name is longer than a name may be
        closed = os.path.isdir(self.root) and not os.access(self.root, os.X_OK)
        return closed or any(os.path.exists(path) for path in (self.db, self.lock, self.config))


def runs_dir(option: str | os.PathLike[str] | None = None) -> Path:
    """The directory of runs: the option, else $CXR_RUNS, else ./runs. It need not exist."""
    return expanded(option or os.environ.get("CXR_RUNS") or "runs").absolute()


def command_line(*words: str, runs: Path) -> str:
    """What a person types, here or in another terminal; it names the directory of runs unless that is the usual one."""
    usual = Path("runs").absolute()
    named = [] if runs.absolute() == usual == runs_dir() else ["--runs", str(runs.absolute())]
    return shlex.join(["cxr-cockpit", *words, *named])


def list_runs(directory: Path) -> list[RunPaths]:
    """The runs in a directory, the one written last first."""
    if not directory.is_dir():
        return []
    found = [paths for paths in _children(directory) if paths.is_run()]
    return sorted(found, key=lambda paths: (-_last_write(paths), paths.name))


def _children(directory: Path) -> Iterator[RunPaths]:
    for child in directory.iterdir():
        if child.is_dir() and not child.name.startswith("."):
            yield RunPaths(child)


def _last_write(paths: RunPaths) -> float:
    # Not the directory's own time, nor an empty WAL's: whoever reads the database changes both.
    times = [0.0]
    for path in (paths.db, paths.db.with_name("run.db-wal"), paths.lock, paths.config):
        try:
            about = path.stat()
        except OSError:
            continue
        if about.st_size or path == paths.lock:
            times.append(about.st_mtime)
    return max(times)


def resolve_run(name_or_path: str, directory: Path) -> RunPaths:
    """The run of that name in `directory`, or at that path. UserError, with near names, if there is none."""
    named = RunPaths(directory / name_or_path)
    if os.sep not in name_or_path and not name_or_path.startswith(".") and named.root.name and named.is_run():
        return named
    given = RunPaths(expanded(name_or_path).absolute())
    if name_or_path and given.root.name and given.is_run():
        return given
    if os.sep in name_or_path:
        raise UserError(f"no run at {name_or_path}: it is no directory with a run.db")
    names = [paths.name for paths in list_runs(directory)]
    near = difflib.get_close_matches(name_or_path, names, n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif names:
        hint = f"there are {', '.join(names[:5])}{' …' if len(names) > 5 else ''}"
    else:
        hint = "there are no runs there; choose another place with --runs DIR"
    raise UserError(f"no run {name_or_path!r} in {directory}: {hint}")


def check_name(name: str) -> str:
    """The name itself if a run may bear it, else UserError."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"run name {name!r} cannot be used: letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit, at most 100"
        )
    return name


def next_free_name(directory: Path, stem: str) -> str:
    """`stem`, or `stem-2`, `stem-3` … : the first that no directory bears yet."""
    name, number = stem, 1
    while (directory / name).exists():
        number += 1
        name = f"{stem}-{number}"
    return name


def create_run(directory: Path, name: str) -> RunPaths:
    """Make the run's directory, for its owner's eyes only. UserError if the name is taken or unfit."""
    paths = RunPaths(directory / check_name(name))
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        paths.root.mkdir(mode=0o700)
        paths.checkpoints.mkdir(mode=0o700)
    except FileExistsError:
        raise UserError(
            f"run {name!r} exists in {directory}: go on with it by `{paths.resume_command}`, "
            "or choose another name with --run"
        ) from None
    except OSError as error:
        raise UserError(f"cannot make the run directory {paths.root}: {error.strerror}") from None
    return paths


def refuse_links(paths: RunPaths) -> None:
    """Raises UserError where a file of the run is a link or a pipe: a run from elsewhere could write outside itself.

    The directory itself may be linked from the place where it is looked for.
    """
    own = {paths.config.name, paths.lock.name, paths.log.name}
    try:
        for entry in os.scandir(paths.root):
            if entry.name == paths.checkpoints.name:
                fits = entry.is_dir(follow_symlinks=False)
            else:
                fits = entry.is_file(follow_symlinks=False)
                if entry.name not in own and not entry.name.startswith(paths.db.name):
                    continue
            if not fits:
                raise UserError(
                    f"{entry.path} is {kind_of(Path(entry.path))}: a run keeps what is its own in its own directory; "
                    "put it there, or remove it"
                )
    except OSError as error:
        raise UserError(f"cannot look into {paths.root}: {error.strerror}") from None


def checkpoint_name(stage: str, step: int) -> str:
    """`stage_a-000400`: sorts by step within a stage."""
    return f"{stage}-{step:06d}"


def parse_checkpoint_name(name: str) -> tuple[str, int] | None:
    """(stage, step) of a checkpoint's name, or None if it is no such name."""
    match = _CHECKPOINT.fullmatch(name)
    return (match["stage"], int(match["step"])) if match else None
