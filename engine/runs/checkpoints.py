"""What can be said of a run's checkpoints without loading them."""

import hashlib
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from engine.errors import UserError
from engine.files.json_file import read_json
from engine.files.plain_file import NotPlain, kind_of, open_descriptor, open_plain
from engine.runs.layout import RunPaths, parse_checkpoint_name
from engine.words.nearest import nearest

Ended = Literal["", "finished", "stopped"]


@dataclass(frozen=True, slots=True)
class CheckpointMeta:
    """Where in the curriculum a checkpoint was taken, as its `progress.json` says.

    ended: how its stage ended, "" while it goes on. val_loss: what its weights scored, if that was measured.
    skipped_steps: steps of the stage that were left out since their loss or gradient was not finite.
    """

    stage: str
    step: int
    steps: int
    ended: Ended = ""
    val_loss: float | None = None
    skipped_steps: int = 0

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "CheckpointMeta":
        """The inverse of `as_json`. Raises `TypeError` or `ValueError` for what is no such thing."""
        fields = dict(content)
        if "skipped" in fields:
            fields["skipped_steps"] = fields.pop("skipped")
        return cls(**fields)

    def as_json(self) -> dict[str, Any]:
        """The content of `progress.json`, where the skipped steps have always been `skipped`."""
        fields = asdict(self)
        fields["skipped"] = fields.pop("skipped_steps")
        return fields


def newest_checkpoint(paths: RunPaths) -> Path | None:
    """The directory of the newest checkpoint by stage and step, unverified."""
    found = checkpoint_names(paths)
    return paths.checkpoints / found[-1] if found else None


def checkpoint_names(paths: RunPaths) -> list[str]:
    """The names of the checkpoints on disk, oldest first."""
    if not paths.checkpoints.is_dir():
        return []
    places = {path.name: parse_checkpoint_name(path.name) for path in paths.checkpoints.iterdir()}
    return sorted((name for name, place in places.items() if place), key=lambda name: places[name] or ("", 0))


def behind_the_record(told: str | None, reached: str | None) -> str | None:
    """In a line, that a run goes on before the checkpoint that its database told of last; None where it does not.

    told: the name of that checkpoint. reached: of the one it goes on from, if there is one.
    """
    if not told or reached == told:
        return None
    if reached and (parse_checkpoint_name(reached) or ("", 0)) > (parse_checkpoint_name(told) or ("", 0)):
        return None
    where = f"from {reached}" if reached else "from the beginning"
    return f"{told}, the checkpoint recorded last, is not there any more or not whole: going on {where}"


def named_checkpoint(paths: RunPaths, name: str) -> Path:
    """The directory of that checkpoint, unverified. Raises UserError, naming those there are, if it is none of them."""
    there = checkpoint_names(paths)
    if name not in there:
        near = nearest(name, there)
        hint = f"; did you mean {near}?" if near else ""
        raise UserError(
            f"run {paths.name!r} has no checkpoint {name!r}; there are: {', '.join(there) or 'none'}{hint}"
        )
    return paths.checkpoints / name


def read_meta(checkpoint: Path) -> CheckpointMeta | None:
    """What the checkpoint says of itself; None if that cannot be read, or is no such thing."""
    try:
        found = CheckpointMeta.from_json(read_json(checkpoint / "progress.json", links=False))
    except (OSError, ValueError, TypeError):
        return None
    return found if _is_whole(found) else None


def _is_whole(found: CheckpointMeta) -> bool:
    """Whether what was read from a file is of the kind that is written to it."""
    counts = (found.step, found.steps, found.skipped_steps)
    return (
        type(found.stage) is str
        and all(type(count) is int and count >= 0 for count in counts)
        and found.ended in ("", "finished", "stopped")
        and (found.val_loss is None or type(found.val_loss) in (int, float))
    )


def copy_checkpoint(source: RunPaths, name: str | None, target: RunPaths) -> str:
    """Put a whole copy of a checkpoint (the newest, without a name) into another run; returns its name.

    Raises UserError if there is none, if it holds anything but plain files (the run may be a stranger's, and a link
    lead anywhere), or if what arrives is not what its manifest names.
    """
    chosen = named_checkpoint(source, name) if name else newest_checkpoint(source)
    if chosen is None:
        raise UserError(f"run {source.name!r} has no checkpoint yet")
    partial = target.checkpoints / f".{chosen.name}.partial"
    try:
        partial.mkdir(mode=0o700)
        for file in chosen.iterdir():
            with open_plain(file, "rb", links=False) as theirs, (partial / file.name).open("xb") as ours:
                shutil.copyfileobj(theirs, ours)
        if wrong := flaw(partial):
            raise UserError(f"{chosen}: not a whole checkpoint ({wrong}); choose another")
        partial.rename(target.checkpoints / chosen.name)
    except NotPlain as error:
        raise UserError(f"{error.filename}: {error.strerror}; nothing is copied") from None
    except OSError as error:
        raise UserError(f"cannot copy checkpoint {chosen.name} of {source.name!r}: {error}") from None
    return chosen.name


def best_names(metas: Mapping[str, CheckpointMeta]) -> set[str]:
    """Of checkpoints by name, the one of each stage with the lowest validation loss; the earlier of two equal ones."""
    best: dict[str, tuple[float, int, str]] = {}
    for name, one in metas.items():
        if one.val_loss is not None and math.isfinite(one.val_loss):
            mine = (one.val_loss, one.step, name)
            best[one.stage] = min(best.get(one.stage, mine), mine)
    return {name for _, _, name in best.values()}


def verifies(checkpoint: Path) -> bool:
    """Whether every file has the size and the digest that the manifest, written last, names."""
    return flaw(checkpoint) is None


def flaw(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint, in words; None if it is whole.

    One that is a link, or has one in it, is not: what it leads to belongs to somebody else.
    """
    try:
        if checkpoint.is_symlink():
            return "it is a link"
        for entry in os.scandir(checkpoint):
            if not entry.is_file(follow_symlinks=False):
                return f"{entry.name} is {kind_of(Path(entry.path))}"
        manifest = read_json(checkpoint / "manifest.json")
        named = {str(file): (entry["bytes"], entry["blake2b"]) for file, entry in manifest.items()}
    except FileNotFoundError:
        return "manifest.json is missing"
    except OSError as error:
        return f"manifest.json cannot be read: {error.strerror}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return "manifest.json is damaged"
    if not named:
        return "manifest.json names no file"
    for file, (size, wanted) in named.items():
        try:
            there = (checkpoint / file).lstat().st_size
            if there != size:
                return f"{file} has {there} bytes instead of {size}"
            if digest(checkpoint / file) != wanted:
                return f"{file} is not what was written"
        except OSError as error:
            return f"{file}: {error.strerror}"
        except ValueError:
            return "manifest.json names what can be no file"
    return None


def digest(path: Path) -> str:
    """blake2b of a file's content."""
    with os.fdopen(open_descriptor(path, links=False), "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
