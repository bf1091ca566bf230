"""What every reader of a foreign file yields."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file.

    where: file and line or position. fields: as they stand; None where the line is none, `problem` says why.
    remarks: what was guessed in reading it, or, with a file's first record, the file.
    """

    where: str
    fields: dict[str, Any] | None
    problem: str = ""
    remarks: tuple[str, ...] = ()
