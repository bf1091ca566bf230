"""Records from JSON, told by what is there and not by the file's name: lines, lists, lists by split, columns."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from engine.data.importing.fields import is_known_field
from engine.data.importing.records import Record
from engine.data.importing.values import split_of
from engine.errors import UserError

_BROKEN = (json.JSONDecodeError, RecursionError)
_TWICE = "a field stands twice in the record: its last value counts"


class _Doubled(dict[str, Any]):
    """An object in which a name stands twice."""


def json_records(path: Path, file: IO[str]) -> Iterator[Record]:
    """The file's records in order. Raises UserError where it is no JSON, or holds no records."""
    if _begins_with_lines(file):
        yield from _lines(path, file)
        return
    text = file.read()
    try:
        content = json.loads(text, object_pairs_hook=_object)
    except _BROKEN as error:
        # By "\n" alone: a report may hold what other readers of lines take for a line end.
        lines = list(_lines(path, text.split("\n")))
        if any(record.fields is not None for record in lines):
            yield from lines
            return
        raise UserError(f"{path}: broken JSON: {error}") from error
    yield from _document(path, content, one_line="\n" not in text.strip())


def _begins_with_lines(file: IO[str]) -> bool:
    """Whether the first two lines that are not blank are objects; the file stands at its beginning again."""
    found = []
    for line in file:
        if not line.isspace():
            found.append(line)
            if len(found) == 2:
                break
    file.seek(0)
    return len(found) == 2 and all(isinstance(_loaded(line), dict) for line in found)


def _lines(path: Path, lines: Iterable[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, start=1):
        if line.isspace() or not line:
            continue
        where = f"{path}:{number}"
        try:
            yield _record(where, json.loads(line, object_pairs_hook=_object))
        except _BROKEN:
            yield Record(where, None, "broken JSON")


def _document(path: Path, content: Any, one_line: bool) -> Iterator[Record]:
    """The records of a file that is one JSON value."""
    if isinstance(content, list):
        yield from (_record(f"{path}[{n}]", fields) for n, fields in enumerate(content))
        return
    if not isinstance(content, dict) or not content:
        raise UserError(f"{path}: holds no list of records")
    if all(split_of(key) for key in content):
        for key, part in content.items():
            yield from _part(f"{path}:{key}", part, {"split": key})
        return
    if isinstance(content.get("columns"), list) and isinstance(content.get("data"), list):
        for n, row in enumerate(content["data"]):
            cells = row if isinstance(row, list) else [row]
            fits = len(cells) == len(content["columns"])
            fields = dict(zip(map(str, content["columns"]), cells, strict=True)) if fits else None
            yield Record(f"{path}:data[{n}]", fields, "" if fits else "not as many cells as columns")
        return
    if (columns := _columns(content)) is not None:
        yield from (_record(f"{path}[{n}]", fields) for n, fields in enumerate(columns))
        return
    if any(map(is_known_field, content)):
        yield _record(f"{path}:1" if one_line else str(path), content)
        return
    lists = {key: part for key, part in content.items() if isinstance(part, list)}
    if len(lists) == 1:
        for key, part in lists.items():
            yield from _part(f"{path}:{key}", part, {})
        return
    if all(isinstance(part, dict) and any(map(is_known_field, part)) for part in content.values()):
        yield from _part(str(path), content, {})
        return
    raise UserError(f"{path}: holds no list of records")


def _part(where: str, part: Any, extra: dict[str, str]) -> Iterator[Record]:
    """The records of a list, or of an object whose names are their ids."""
    if isinstance(part, list):
        yield from (_record(f"{where}[{n}]", fields, extra) for n, fields in enumerate(part))
    elif isinstance(part, dict):
        for key, fields in part.items():
            yield _record(f"{where}:{key}", fields, {"id": key, **extra})
    else:
        yield Record(where, None, "is not a JSON object")


def _columns(content: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Records from a table kept by columns, as pandas writes it: lists, or objects by row; None if it is none."""
    if sum(map(is_known_field, content)) < 2:
        return None
    parts = list(content.values())
    if all(isinstance(part, dict) for part in parts):
        rows = list(parts[0])
        if all(list(part) == rows for part in parts):
            return [{name: part[row] for name, part in content.items()} for row in rows]
    if all(isinstance(part, list) and len(part) == len(parts[0]) for part in parts):
        return [{name: part[row] for name, part in content.items()} for row in range(len(parts[0]))]
    return None


def _record(where: str, fields: Any, extra: Mapping[str, str] | None = None) -> Record:
    if not isinstance(fields, dict):
        return Record(where, None, "is not a JSON object")
    remarks: tuple[str, ...] = (_TWICE,) if isinstance(fields, _Doubled) else ()
    if extra and "split" in extra and split_of(fields.get("split")) not in (None, split_of(extra["split"])):
        remarks += (
            "the record's split is another one than the part of the file it stands in: its own counts",
        )
    return Record(where, {**(extra or {}), **fields}, remarks=remarks)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else _Doubled(fields)


def _loaded(line: str) -> Any:
    try:
        return json.loads(line)
    except _BROKEN:
        return None
