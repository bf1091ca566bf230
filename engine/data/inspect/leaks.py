"""What a prompt or a record must not hold, because nobody knew it when the film was taken."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from engine.data.answers import PREFIXES
from engine.data.curriculum import Sample
from engine.data.icd import dotted

#: Columns of MIMIC-IV and MIMIC-IV-ED that exist only after discharge, and the targets themselves.
COLUMNS = (
    *(
        "dischtime",
        "deathtime",
        "dod",
        "discharge_location",
        "hospital_expire_flag",
        "edouttime",
        "outtime",
        "los",
    ),
    *("disposition", "drg_code", "drg_severity", "drg_mortality", "description_drg", "last_careunit"),
    *("icd_code", "icd", "icd_codes", "icd_title", "diagnosis", "diagnoses", "diagnoses_icd", "long_title"),
    *(
        "chexpert",
        "labels",
        "negbio",
        "impression",
        "findings",
        "report",
        "discharge_summary",
        "hospital_course",
    ),
)
_FILM_TIMES = ("taken", "study_time", "studytime", "study_datetime", "film_time")
_TIME_KEYS = re.compile(r"time|date|charted|stored")
_OUTCOME = re.compile(
    r"\b(?:discharged? (?:to|home|diagnos\w+|location|disposition)|hospital course|length of stay|expired|"
    r"hospital_expire_flag|in-hospital death|died|deceased|DRG)\b",
    re.IGNORECASE,
)
_SHORTEST_SENTENCE = 25
_SHORTEST_TITLE = 8


def leaks(sample: Sample) -> Iterator[str]:
    """The kinds of leak in the sample, each at most once."""
    found = dict.fromkeys([*_in_record(sample.ehr or {}), *_in_prompt(sample)])
    yield from found


def _in_record(ehr: Mapping[str, Any]) -> Iterator[str]:
    entries = [*_entries(ehr)]
    if any(_plain(key) in COLUMNS for key, _ in entries):
        yield "leak-column"
    taken = next((time for key, value in entries if (time := _film_time(key, value, ehr))), None)
    times = [
        time
        for key, value in entries
        if _TIME_KEYS.search(_plain(key)) and _plain(key) not in _FILM_TIMES and (time := _time(value))
    ]
    if times and taken is None:
        yield "times-unchecked"
    if taken is not None and any(time > taken for time in times):
        yield "leak-time"


def _in_prompt(sample: Sample) -> Iterator[str]:
    prompt = " ".join(sample.prompt.split()).casefold()
    if f"{PREFIXES['labels']} ".casefold() in prompt or f"{PREFIXES['icd']} ".casefold() in prompt:
        yield "leak-labels"
    if _OUTCOME.search(sample.prompt):
        yield "leak-outcome"
    answer, _, last = sample.target.rpartition("\n")
    sentences = re.split(r"(?<=[.!?])\s+", answer or sample.target)
    if any(len(one) >= _SHORTEST_SENTENCE and _closed(one) in prompt for one in sentences):
        yield "leak-report"
    if any(
        re.search(rf"(?<![\w.]){re.escape(code)}(?![\w])", sample.prompt) for code in _written(sample.icd)
    ):
        yield "leak-code"
    known = prompt
    for title in sorted(_history(sample), key=len, reverse=True):
        known = known.replace(_closed(title), " ")
    entries = last.removeprefix(PREFIXES["icd"]).split(";") if last.startswith(PREFIXES["icd"]) else []
    titles = (entry.strip().partition(" ")[2] for entry in entries)
    if any(len(title) >= _SHORTEST_TITLE and _closed(title) in known for title in titles):
        yield "leak-title"


def _written(codes: tuple[str, ...]) -> Iterator[str]:
    for code in codes:
        bare = code.split(":")[1]
        if len(bare) > 3:  # three digits may be any number
            yield from (bare, dotted(code))


def _history(sample: Sample) -> list[str]:
    history = (sample.ehr or {}).get("history")
    return [str(title) for title in history] if isinstance(history, list) else []


def _closed(text: str) -> str:
    return " ".join(text.split()).casefold().rstrip(".")


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """All keys with their values, however deep."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key), item
            yield from _entries(item)
    elif isinstance(value, list):
        for item in value:
            yield from _entries(item)


def _film_time(key: str, value: Any, ehr: Mapping[str, Any]) -> datetime | None:
    if _plain(key) in _FILM_TIMES:
        return _time(value)
    if _plain(key) == "studydate":  # as in MIMIC-CXR-JPG's metadata, the time beside it
        clock = next((one for name, one in _entries(ehr) if _plain(name) == "studytime"), 235_959)
        try:
            return datetime.strptime(f"{str(value)[:8]} {int(float(clock)):06d}", "%Y%m%d %H%M%S")
        except ValueError:
            return None
    return None


def _time(value: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    return time.replace(tzinfo=None) if isinstance(value, str) else None


def _plain(key: str) -> str:
    return key.strip().lower().replace(" ", "_").replace("-", "_")
