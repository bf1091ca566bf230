"""Who is who: patients, studies and images by one spelling, however files and tools have written them."""

import re
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

from engine.words.printable import clean_line

_SCIENTIFIC = re.compile(r"\d(?:\.(?P<decimals>\d+))?e\+?(?P<exponent>\d{1,2})", re.IGNORECASE)
_NUMBER = re.compile(r"[ps]?0*(?P<digits>\d+)(?:\.0*)?", re.IGNORECASE)
_DICOM_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}", re.IGNORECASE)
#: A study's number of so many characters is one of a whole hospital, a shorter one may count within a patient.
_LONG_NUMBER = 6


def identifier(value: Any) -> str:
    """A patient's or study's id: "p10000032", 10000032.0 and "10000032" are all "10000032"; "" if there is none.

    Raises ValueError where it is no text or number, or a spreadsheet has rounded it.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"is {_kind(value)}, not a text or number")
    text = clean_line(repr(value) if isinstance(value, float) else str(value))
    if match := _SCIENTIFIC.fullmatch(text):
        if not isinstance(value, float) and len(match["decimals"] or "") < int(match["exponent"]):
            raise ValueError(f"{text!r} was rounded: it has lost its digits")
        return str(int(Decimal(text)))
    match = _NUMBER.fullmatch(text)
    return match["digits"] if match else text


def study_key(subject_id: str, study_id: str) -> str:
    """What two samples of one study share."""
    return study_id if len(study_id) >= _LONG_NUMBER else f"{subject_id}/{study_id}"


def image_key(path: str) -> str:
    """What two paths of one image share: MIMIC's DICOM id where there is one, else the path without detours."""
    return dicom_id(path) or str(PurePosixPath(path))


def dicom_id(path: str) -> str | None:
    """MIMIC's id of the image, if the file is named by it."""
    stem = PurePosixPath(path).stem.casefold()
    return stem if _DICOM_ID.fullmatch(stem) else None


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", bool: "true or false"}.get(type(value), type(value).__name__)
