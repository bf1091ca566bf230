"""A directory that appears whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from engine.errors import UserError
from engine.files.free_space import free_space
from engine.files.temporary import holder, sweep
from engine.words.sizes import on_disk


def refuse_existing(target: Path) -> None:
    """Raises `UserError` where something is there already."""
    if os.path.lexists(target):
        raise UserError(f"{target}: exists already; name a new directory")


@contextmanager
def new_directory(target: Path, needed: float) -> Iterator[Path]:
    """A directory beside `target`, readable by its owner only, that gets its name when the block has ended well.

    needed: bytes that are going to be written. Raises `UserError` where `target` exists, the disk has not the room, or
    something cannot be written; then nothing stays.
    """
    refuse_existing(target)
    try:
        sweep(target.parent)  # before the room is measured
        free = free_space(target.parent)
        if free < needed * 1.02:
            raise UserError(f"{target}: needs {on_disk(needed)}, the disk has {on_disk(free)} free")
        with holder(target.parent) as beside:
            made = beside.path / "content"
            made.mkdir(mode=0o700)
            yield made
            made.rename(target)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(f"{target}: cannot be made: {reason}") from None
