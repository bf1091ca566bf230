"""What can be said of a run's checkpoints without loading them."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.errors import UserError
from engine.runs.layout import RunPaths, parse_checkpoint_name


@dataclass(frozen=True, slots=True)
class Standing:
    """Where in the curriculum a checkpoint stands. `ended`: how its stage ended, "" while it goes on."""

    stage: str
    step: int
    steps: int
    ended: Literal["", "finished", "stopped"] = ""


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


def standing(checkpoint: Path) -> Standing | None:
    """What the checkpoint says of itself; None if that cannot be read."""
    try:
        content = json.loads((checkpoint / "progress.json").read_text(encoding="utf-8"))
        return Standing(**content)
    except (OSError, ValueError, TypeError):
        return None


def copy_checkpoint(source: RunPaths, name: str | None, target: RunPaths) -> str:
    """Put a whole copy of a checkpoint (the newest, without a name) into another run; returns its name.

    Raises UserError if there is none, or if what arrives is not what its manifest names.
    """
    newest = newest_checkpoint(source)
    name = name or (newest.name if newest else None)
    if name is None:
        raise UserError(f"run {source.name!r} has no checkpoint yet")
    if name not in checkpoint_names(source):
        there = ", ".join(checkpoint_names(source)) or "none"
        raise UserError(f"run {source.name!r} has no checkpoint {name!r}; there are: {there}")
    partial = target.checkpoints / f".{name}.partial"
    try:
        shutil.copytree(source.checkpoints / name, partial)
        if not verifies(partial):
            raise UserError(
                f"{source.checkpoints / name}: not a whole checkpoint, its manifest does not agree; choose another"
            )
        partial.rename(target.checkpoints / name)
    except OSError as error:
        raise UserError(f"cannot copy checkpoint {name} of {source.name!r}: {error}") from None
    return name


def verifies(checkpoint: Path) -> bool:
    """Whether every file has the size and the digest that the manifest, written last, names."""
    try:
        manifest = json.loads((checkpoint / "manifest.json").read_text(encoding="utf-8"))
        return bool(manifest) and all(
            (checkpoint / file).stat().st_size == entry["bytes"]
            and digest(checkpoint / file) == entry["blake2b"]
            for file, entry in manifest.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def digest(path: Path) -> str:
    """blake2b of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
