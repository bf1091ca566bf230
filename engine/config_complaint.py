"""What is wrong with a configuration, in one line: where it was written, which key, and why."""

import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from engine.words.nearest import did_you_mean, nearest


@dataclass(frozen=True)
class Places:
    """Where a configuration's keys were written: in a file, or by path of the key on the command line (`given`)."""

    file: Path
    node: yaml.Node | None
    given: Mapping[tuple[str, ...], str]

    def of(self, keys: Sequence[str]) -> str:
        """`FILE:LINE`, or the words of the command line that the value at `keys` comes from."""
        for length in range(len(keys), 0, -1):
            if words := self.given.get(tuple(keys[:length])):
                return words
        line = _line_of(self.node, keys)
        return f"{self.file}:{line}" if line else str(self.file)


def complaint(error: ValidationError, places: Places, schema: type[BaseModel]) -> str:
    """The first thing that is wrong, on one line: where, which key, why."""
    first = error.errors(include_url=False)[0]
    keys = [str(key) for key in first["loc"] if key != "function-after"]
    reason = _plain(first["type"], first["msg"], first.get("ctx", {}))
    about = re.match(r"([a-z_]+(?:\.[a-z_]+)+): ", reason)
    if not keys and about:  # two keys that do not go together
        return f"{places.of(about[1].split('.'))}: {reason}"
    where = places.of(keys)
    dotted = ".".join(reprlib.repr(key)[1:-1] for key in keys)
    if first["type"] == "extra_forbidden":
        known = list(_keys_at(schema, keys[:-1]))
        return f"{where}: unknown key {dotted}; {did_you_mean(keys[-1], known, 'known here:')}"
    if first["type"] == "missing":
        return f"{where}: {dotted} is missing"
    shown = (
        f" (it is {reprlib.repr(first['input'])})" if keys and not isinstance(first["input"], dict) else ""
    )
    near = (
        nearest(str(first["input"]), re.findall(r"'([^']+)'", reason))
        if first["type"] == "literal_error"
        else ""
    )
    return (
        f"{where}: {dotted + ': ' if keys else ''}{reason}{shown}{f'; did you mean {near}?' if near else ''}"
    )


def _plain(kind: str, message: str, context: dict[str, Any]) -> str:
    """pydantic's complaint in the words of somebody who writes YAML."""
    if kind in ("int_type", "int_parsing", "int_from_float", "int_parsing_size"):
        return "must be a whole number"
    if kind in ("float_type", "float_parsing"):
        return "must be a number"
    if kind == "finite_number":
        return "must be a finite number"
    if kind in ("bool_type", "bool_parsing"):
        return "must be true or false"
    if kind in ("string_type", "path_type"):
        return "must be text" if kind == "string_type" else "must be a path"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "must be a section with keys of its own"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    bounds = {
        "greater_than_equal": ("ge", "at least"),
        "greater_than": ("gt", "more than"),
        "less_than_equal": ("le", "at most"),
        "less_than": ("lt", "less than"),
    }
    if kind in bounds:
        key, words = bounds[kind]
        return f"must be {words} {context[key]:,.12g}"
    return message.removeprefix("Value error, ")


def _keys_at(schema: type[BaseModel], keys: list[str]) -> Iterator[str]:
    """The keys the schema knows in the section at `keys`."""
    model: Any = schema
    for key in keys:
        annotation = model.model_fields[key].annotation
        options = [annotation, *get_args(annotation)]
        model = next(
            option for option in options if isinstance(option, type) and issubclass(option, BaseModel)
        )
    yield from model.model_fields


def _line_of(node: yaml.Node | None, keys: Sequence[str]) -> int | None:
    """Line, counted from 1, of the deepest key on the path that the file has."""
    line = None
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            break
        for key_node, value_node in node.value:
            if key_node.value == key:
                line, node = key_node.start_mark.line + 1, value_node
                break
        else:
            break
    return line
