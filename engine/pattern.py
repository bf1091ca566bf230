"""Regular expressions from a file: matched within a time limit, for some go back and forth for ever.

`re` cannot be stopped. `regex`, which transformers needs anyway, reads the same expressions and looks at the clock.
"""

import re
import time
from collections.abc import Iterable

#: No expression that somebody wrote by hand is longer.
MAX_CHARACTERS = 1_000

#: For all names together; an honest expression takes a thousandth of it for the modules of a large model.
SECONDS = 2.0


def refuse_unreadable(pattern: str) -> None:
    """Raises ValueError where it is no regular expression, or too long for one."""
    if len(pattern) > MAX_CHARACTERS:
        raise ValueError(f"more than {MAX_CHARACTERS:,} characters")
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"not a regular expression: {error}") from None


def matched(pattern: str, names: Iterable[str], seconds: float = SECONDS) -> list[str]:
    """The names that the pattern matches whole. Raises TimeoutError, or ValueError where it cannot be read."""
    import regex

    refuse_unreadable(pattern)
    try:
        compiled = regex.compile(pattern)
    except (regex.error, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from None
    end = time.monotonic() + seconds
    return [name for name in names if compiled.fullmatch(name, timeout=max(0.001, end - time.monotonic()))]
