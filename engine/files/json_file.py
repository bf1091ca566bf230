"""JSON as everybody reads it: without NaN; and files that somebody else may have written, of a bounded size."""

import json
import math
from pathlib import Path
from typing import Any

from engine.files.plain_file import open_plain

#: The index of the largest models has a tenth of this.
MAX_BYTES = 20_000_000


def read_json(path: Path, most: int = MAX_BYTES, links: bool = True) -> Any:
    """What the file holds. Raises OSError, or ValueError (json.JSONDecodeError for broken JSON) that says why not.

    most: bytes that are read; a longer file is refused. links: whether the file may be a symbolic link.
    """
    with open_plain(path, "rb", links) as file:
        content: bytes = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"more than {most:,} bytes")
    return parsed_json(content)


def without_nan(value: Any) -> Any:
    """The value with null for every number that JSON does not know, and with words for keys."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return value


def parsed_json(content: bytes) -> Any:
    """Raises ValueError, also for what is nested too deeply or not UTF-8."""
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
