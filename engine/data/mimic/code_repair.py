"""ICD codes that a re-saved table has bent: lost zeros, a point, a version written as a number with decimals.

The dictionary decides, where exactly one of its codes fits; what stays unclear is named, never guessed.
"""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass

from engine.data.icd import is_icd

_VERSION = re.compile(r"(?:ICD[- ]?)?(9|10)(?:\.0*)?(?:[- ]?CM)?", re.IGNORECASE)
_DIGITS = re.compile(r"\d{1,5}")
_POINT = re.compile(r"([A-Z]?\d[0-9A-Z]*)\.([0-9A-Z]*)")
_LONGEST_9 = 5


@dataclass(frozen=True, slots=True)
class Resolved:
    """code: "10:I509", or None where `problem` says why not. restored: whether it is not written that way."""

    code: str | None
    problem: str = ""
    restored: bool = False


class CodeBook:
    """The codes of a dictionary. titles: by code ("10:I509"). doubled: codes that stand there for several things, as
    they do where the dictionary has lost its zeros. suspicious: whether the table has."""

    def __init__(self, titles: Mapping[str, str], doubled: Set[str] = frozenset()) -> None:
        self.titles = titles
        self.doubled = doubled
        self.suspicious = False

    def notice(self, pairs: Set[tuple[str, str]]) -> None:
        """Looks at all pairs of version and code in a table: no ICD-9 code with a zero in front, and some that
        only fit with one, mean that a program has taken the codes for numbers."""
        numeric = {
            code.strip()
            for version, code in pairs
            if _version(version) == "9" and _DIGITS.fullmatch(code.strip())
        }
        lost = any(
            len(code) < 3 or (f"9:{code}" not in self.titles and self._padded(code)) for code in numeric
        )
        self.suspicious = self.suspicious or (lost and not any(code.startswith("0") for code in numeric))

    def resolve(self, version: str | None, code: str) -> Resolved:
        """What the table means. An unknown code is taken as it stands, if it can be one."""
        code = code.strip().upper()
        number = _version(version)
        if number is None and version is not None:
            return Resolved(None, "version neither 9 nor 10")
        versions = (number,) if number else ("10", "9")
        fitting = {
            f"{v}:{form}" for v in versions for form in self._forms(code, v) if f"{v}:{form}" in self.titles
        }
        as_is = f"{number}:{code}"
        if fitting & self.doubled:
            return Resolved(None, "stands in the dictionary with several titles, which has lost its zeros")
        if len(fitting) == 1:
            (found,) = fitting
            return Resolved(found, restored=found != as_is)
        if fitting:
            if as_is in fitting and not self.suspicious:
                return Resolved(as_is)
            return Resolved(None, f"may be any of {', '.join(sorted(fitting))}")
        if number is None:
            return Resolved(None, "without version, and not in the dictionary")
        plain = code.replace(".", "")
        if not is_icd(f"{number}:{plain}"):
            return Resolved(None, "no ICD code, perhaps one that has lost its zeros")
        return Resolved(f"{number}:{plain}", restored=plain != code)

    def _forms(self, code: str, version: str) -> list[str]:
        """How the dictionary may write it: as it stands, without its point, with the zeros that it may have lost."""
        forms = [code]
        if match := _POINT.fullmatch(code):
            forms = [match[1] + match[2]]
            if not match[2].strip("0"):  # 4280.0 is a number that was a code; 428.0 may be both
                forms.append(match[1])
        if version == "9":
            forms += [padded for form in forms for padded in self._padded(form)]
        return forms

    def _padded(self, code: str) -> list[str]:
        if not _DIGITS.fullmatch(code):
            return []
        longer = (code.rjust(length, "0") for length in range(len(code) + 1, _LONGEST_9 + 1))
        return [form for form in longer if f"9:{form}" in self.titles]


def _version(version: str | None) -> str | None:
    match = _VERSION.fullmatch((version or "").strip())
    return match[1] if match else None
