"""What people write where there is nothing."""

import math
import re
from typing import Any

# What pandas, R and SQL write for a missing value, and lines drawn where one would stand.
_MARK = re.compile(r"[+-]?nan|none|null|nat|<na>|#?n/?a|n\.a\.|[-_–—.\s]*", re.IGNORECASE)


def is_missing(value: Any) -> bool:
    """Whether the value says that there is none: null, NaN, empty, or a mark such as "NA", "None" or "___"."""
    if isinstance(value, str):
        return _MARK.fullmatch(value.strip()) is not None
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or value in ([], {}, ())


def mark_of(value: Any) -> str | None:
    """How a missing value is written, where it is more than null or nothing; None otherwise."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return value.strip()[:20] if isinstance(value, str) and value.strip() and is_missing(value) else None


def without_missing(value: Any, marks: list[str]) -> Any:
    """The value with None for every missing one in it, however deep; `marks` hears how those were written."""
    if isinstance(value, dict):
        return {name: without_missing(item, marks) for name, item in value.items()}
    if isinstance(value, list):
        return [without_missing(item, marks) for item in value]
    if (mark := mark_of(value)) is not None:
        marks.append(mark)
    return None if is_missing(value) else value
