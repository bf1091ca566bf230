"""What was probably meant by a word that is not known."""

import difflib
from collections.abc import Iterable
from pathlib import Path

LONGEST = 80
"""Characters of a word that are compared: the comparison takes the square of it."""
MOST = 20
"""Names that are told where none is near."""


def nearest(given: str, known: Iterable[str]) -> str:
    """The known word that is most like it, upper and lower case alike; "" if none is."""
    names = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(given[:LONGEST].casefold(), names, n=1)
    return names[near[0]] if near else ""


def did_you_mean(given: str, known: Iterable[str], there_are: str = "choose from") -> str:
    """`did you mean train?`, or all that there is where nothing is near; "" if there is nothing at all."""
    names = list(known)
    near = nearest(given, names)
    if near:
        return f"did you mean {near}?"
    more = f" and {len(names) - MOST:,} more" if len(names) > MOST else ""
    return f"{there_are} {', '.join(names[:MOST])}{more}" if names else ""


def nearest_file(path: Path, ending: str) -> Path | None:
    """The file beside `path` with that ending whose name is most like its; None if none is."""
    try:
        near = nearest(path.name, [one.name for one in path.parent.iterdir() if one.suffix == ending])
    except OSError:
        return None
    return path.with_name(near) if near else None
