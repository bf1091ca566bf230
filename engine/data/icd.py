"""ICD codes as the curriculum writes them, "10:I509", and as people read them, "I50.9"."""

import re
from collections.abc import Collection

_ICD = re.compile(r"(?:9|10):[A-Z0-9]{3,7}")
# Dotted codes: ICD-10 has its dot after three characters, ICD-9 too, but E codes after four.
_ICD10 = r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?"
_ICD9_E = r"E\d{3}(?:\.\d)?"
_ICD9_V = r"V\d{2}(?:\.\d{1,2})?"
_ICD9 = rf"(?:\d{{3}}(?:\.\d{{1,2}})?|{_ICD9_E}|{_ICD9_V})"
_DOTTED = re.compile(rf"(?:{_ICD9_E}|{_ICD10}|{_ICD9})")
_DOTTED_9 = re.compile(_ICD9)


def is_icd(code: str) -> bool:
    """Whether `code` is a version and a code without dot."""
    return _ICD.fullmatch(code) is not None


def dotted(code: str) -> str:
    """ "10:I509" → "I50.9"; "9:E8859" → "E885.9"."""
    version, bare = code.split(":")
    stem = 4 if version == "9" and bare.startswith("E") else 3
    return bare if len(bare) <= stem else f"{bare[:stem]}.{bare[stem:]}"


def category(code: str) -> str:
    """The code's category, with its version: "10:I509" → "10:I50"; ICD-9 E codes have one more character."""
    version, bare = code.split(":")
    return f"{version}:{bare[: 4 if version == '9' and bare.startswith('E') else 3]}"


def from_dotted(text: str, known: Collection[str] = ()) -> str | None:
    """ "I50.9" → "10:I509"; None if `text` is no dotted code.

    Where `known` holds the same code its version is taken, else the form decides: digits first are ICD-9,
    so are E with three digits and V with at most two decimals (ICD-10's own V codes go down to the seventh
    character); every other letter is ICD-10.
    """
    text = text.upper()
    if not _DOTTED.fullmatch(text):
        return None
    bare = text.replace(".", "")
    for version in ("10", "9"):
        if f"{version}:{bare}" in known:
            return f"{version}:{bare}"
    return f"{'9' if _DOTTED_9.fullmatch(text) else '10'}:{bare}"
