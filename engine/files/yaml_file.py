"""YAML that somebody else may have written: a plain file, and no more than any settings need.

An alias counts as all that it stands for: a few lines of them can mean gigabytes to whoever walks through.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from engine.errors import UserError
from engine.files.plain_file import open_plain

#: The longest file with settings; none of ours has a twentieth of it.
MAX_BYTES = 1_000_000
MAX_VALUES = 20_000
MAX_DEPTH = 50
#: Characters of one value. A number of so many is read in no time, and Python still writes it out again.
MAX_SCALAR = 3_000

#: libyaml's reader where it is there: ten times as fast, its complaints worded otherwise.
FAST_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path, loader: Any = FAST_LOADER) -> Any:
    """What the file holds. Raises `UserError` with file and line where it is no such YAML, or OSError."""
    try:
        return load(read_text(path), loader)[0]
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(complaint(error, path)) from None


def read_text(path: Path) -> str:
    """The file's text. Raises ValueError where it is too long or not UTF-8, or OSError."""
    with open_plain(path, "rb") as file:
        content: bytes = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES:,} bytes")
    return content.decode("utf-8")


def load(text: str, loader: Any = FAST_LOADER) -> tuple[Any, yaml.Node | None]:
    """The value, and the nodes it was made of. Raises yaml.YAMLError."""
    node = compose(text, loader)
    if node is None:
        return None, None
    constructor = loader("")
    try:
        return constructor.construct_document(node), node
    except yaml.YAMLError:
        raise
    except Exception as error:  # a date that is none, a number too long, a tag that does not fit its value
        raise yaml.YAMLError(f"{type(error).__name__}: {error}") from None
    finally:
        constructor.dispose()


def compose(text: str, loader: Any = FAST_LOADER) -> yaml.Node | None:
    """The nodes of the one document. Raises yaml.YAMLError, too where it means more than it may."""
    _hold_within_bounds(yaml.parse(text, Loader=loader))
    node: yaml.Node | None = yaml.compose(text, Loader=loader)
    return node


def complaint(error: Exception, path: Path) -> str:
    """One line: file, line where it is known, and what is wrong."""
    mark = getattr(error, "problem_mark", None)
    where = f"{path}:{mark.line + 1}" if mark else str(path)
    reason = str(getattr(error, "problem", None) or error).splitlines()[0]
    return f"{where}: not valid YAML: {reason}"


def _hold_within_bounds(events: Iterable[Any]) -> None:
    values = 0
    inside: list[tuple[str | None, int]] = []  # anchor of each collection, and how many values came before it
    stands_for: dict[str, int | None] = {}  # values by anchor; None while its collection is being read
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            known = stands_for.get(event.anchor or "", 1)  # an unknown one is refused when it is composed
            if known is None:
                raise _refusal(event, f"the alias *{event.anchor} stands inside what it stands for")
            values += known
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
            if len(event.value) > MAX_SCALAR:
                raise _refusal(event, f"a value of more than {MAX_SCALAR:,} characters")
            if event.anchor:
                stands_for[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            inside.append((event.anchor, values))
            values += 1
            if event.anchor:
                stands_for[event.anchor] = None
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = inside.pop()
            if anchor:
                stands_for[anchor] = values - before
        if values > MAX_VALUES:
            raise _refusal(event, f"more than {MAX_VALUES:,} values, counting what aliases stand for")
        if len(inside) > MAX_DEPTH:
            raise _refusal(event, f"nested more than {MAX_DEPTH} deep")


def _refusal(event: Any, reason: str) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=reason, problem_mark=event.start_mark)
