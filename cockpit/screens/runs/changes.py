"""Renaming and deleting runs, and holding their configurations against each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.files.temporary import holder
from engine.runs.layout import RunPaths, check_name
from engine.runs.lock import EngineLock, lock_holder

RETRY_SECONDS = 0.5
Difference = tuple[str, str, str]
"""A key, and its value in either configuration; an empty value where it is not set."""


def rename(paths: RunPaths, name: str) -> RunPaths:
    """Give the run another name. UserError if that is taken or unfit, or if an engine lives in the run."""
    target = RunPaths(paths.root.with_name(check_name(name)))
    lock = EngineLock.take(paths, RETRY_SECONDS)
    try:
        if target.root.exists():
            raise UserError(f"there is a {name!r} already")
        os.rename(paths.root, target.root)
    except OSError as error:
        raise UserError(f"cannot rename {paths.root}: {error.strerror}") from None
    finally:
        lock.close()
    return target


def delete(paths: RunPaths) -> None:
    """Delete the run with everything in it; of a link, the link alone. UserError if an engine lives in it."""
    if paths.root.is_symlink():
        _unlink(paths)
        return
    lock = EngineLock.take(paths, RETRY_SECONDS)
    try:
        # Out of sight in one step: a run half deleted must never look like a run.
        with holder(paths.root.parent) as doomed:
            os.rename(paths.root, doomed.path / "content")
    except OSError as error:
        raise UserError(f"cannot delete {paths.root}: {error.strerror}") from None
    finally:
        lock.close()


def _unlink(paths: RunPaths) -> None:
    """What the link points to is not touched, not even to take its lock."""
    if lock_holder(paths) is not None:
        raise UserError(f"run {paths.name!r} is in use by an engine; park or stop it first")
    try:
        paths.root.unlink()
    except OSError as error:
        raise UserError(f"cannot delete {paths.root}: {error.strerror}") from None


def differences(first: RunPaths, second: RunPaths) -> list[Difference]:
    """The keys in which two runs' frozen configurations differ, in their order."""
    left, right = dict(_flat(_read(first.config))), dict(_flat(_read(second.config)))
    keys = list(dict.fromkeys([*left, *right]))
    return [(key, left.get(key, ""), right.get(key, "")) for key in keys if left.get(key) != right.get(key)]


def _read(path: Path) -> Any:
    from engine.files.yaml_file import read_yaml

    try:
        return read_yaml(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, "null" if value is None else str(value)
