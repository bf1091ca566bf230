"""The film of each study: frontal, in the official split, with the time it was taken."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from engine.data.images import outside
from engine.data.mimic.cells import Kind
from engine.data.mimic.checksums import Inputs
from engine.data.mimic.tables import Tables
from engine.data.mimic.tree import MimicRoots, table
from engine.errors import UserError

FRONTAL = ("PA", "AP")  # in this order of preference
_SPLITS = {"train": "train", "validate": "val", "val": "val", "valid": "val", "test": "test"}
_VIEW_CODES = {"antero-posterior": "AP", "postero-anterior": "PA"}
# "CHEST (PORTABLE AP)", "CHEST PORT. LINE PLACEMENT": nobody takes a lateral film in bed.
_PORTABLE = re.compile(r"\bPORT(?:ABLE|\b)|\(AP\)", re.IGNORECASE)
_PA_ALONE = re.compile(r"\(PA\)|\bPA ONLY\b", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:\.0*|[ T]0?0:00(?::00(?:\.0*)?)?)?")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})(?:\.\d*)?")


@dataclass(frozen=True, slots=True)
class Film:
    """One study and the film that stands for it.

    image, report: relative to their trees' roots. timed: whether the time of day is known; `taken` is the start of the
    day where it is not: too early lets less of the record in, never more.
    """

    subject_id: int
    study_id: int
    dicom_id: str
    taken: datetime
    split: str
    timed: bool
    image: str
    report: str


def patient_folder(subject_id: int, below: str = "files") -> str:
    """ "files/p10/p10000032"."""
    return f"{below}{'/' if below else ''}p{str(subject_id)[:2]}/p{subject_id}"


def read_films(
    roots: MimicRoots, tables: Tables, inputs: Inputs, dropped: Counter[str], notes: Counter[str]
) -> list[Film]:
    """One film a study, by patient and study: PA before AP, then the first by DICOM id, of those on disk.

    Studies without one are counted in `dropped` with the reason, what was concluded about films in `notes`. Raises
    UserError if a patient is in two splits.
    """
    metadata = table(roots.jpg, "mimic-cxr-2.0.0-metadata")
    _open_lists(roots, tables, inputs, metadata)
    best: dict[int, tuple[int, Film, str]] = {}
    problems: dict[int, str] = {}
    rows = tables.rows(
        """
        SELECT DISTINCT m.subject_id, m.study_id, m.dicom_id, m.ViewPosition, m.ViewCodeSequence_CodeMeaning,
               m.PerformedProcedureStepDescription, m.StudyDate, m.StudyTime, s.split
        FROM metadata m LEFT JOIN split s USING (dicom_id)
        WHERE m.subject_id IS NOT NULL AND m.study_id IS NOT NULL AND m.dicom_id IS NOT NULL
        ORDER BY 1, 2, 3
        """,
        "metadata",
        "split",
    )
    for subject_id, study_id, dicom_id, position, code, procedure, date, time, split in rows:
        problems.setdefault(study_id, "no frontal film (AP or PA)")
        view, source = frontal_view(position, code, procedure)
        if view is None:
            if not position and study_id not in best:
                problems[study_id] = "no view position, and neither view code nor procedure says frontal"
            continue
        taken = film_time(date, time)
        if taken is None and date is not None:
            raise UserError(
                f"{metadata}: column StudyDate: cannot read {date[:40]!r}, which should be like 21800506"
            )
        if taken is None or (split or "").lower() not in _SPLITS:
            problems[study_id] = "no study date" if taken is None else "not in the split file"
            continue
        folder = f"{patient_folder(subject_id, roots.films_below)}/s{study_id}"
        film = Film(
            subject_id,
            study_id,
            dicom_id,
            taken,
            _SPLITS[split.lower()],
            time_of_day(time) is not None,
            f"{folder}/{dicom_id}.jpg",
            f"{patient_folder(subject_id, roots.reports_below)}/s{study_id}.txt",
        )
        if not (roots.jpg / film.image).is_file():
            problems[study_id] = "image file missing"
            continue
        if (way_out := outside(roots.jpg, film.image)) is not None:
            problems[study_id] = f"image {way_out}"
            continue
        rank = FRONTAL.index(view)
        if study_id not in best or (rank, dicom_id) < (best[study_id][0], best[study_id][1].dicom_id):
            best[study_id] = (rank, film, source)
    dropped.update(reason for study_id, reason in problems.items() if study_id not in best)
    for _, film, source in best.values():
        if source:
            notes[f"films without a view position, frontal by their {source}"] += 1
        if not film.timed:
            notes["films without a time of day, taken as the start of it"] += 1
    films = [film for _, film, _ in best.values()]
    _refuse_overlap(films, roots.jpg)
    return films


def frontal_view(position: str | None, code: str | None, procedure: str | None) -> tuple[str | None, str]:
    """ "PA", "AP" or None where the film is not frontal or nobody says; and what said so: "" for the position."""
    if position:
        view = position.strip().upper()
        return (view if view in FRONTAL else None), ""
    if code and (view := _VIEW_CODES.get(code.strip().lower(), "")):
        return view, "view code"
    if code:  # a view with a name of its own is another one
        return None, ""
    if procedure and _PORTABLE.search(procedure):
        return "AP", "procedure"
    if procedure and _PA_ALONE.search(procedure):
        return "PA", "procedure"
    return None, ""


def film_time(date: str | None, time: str | None) -> datetime | None:
    """When the film was taken, from "21800506" and "5556.875" (leading zeros lost); None if no date.

    Without a usable time it is the start of that day.
    """
    match = _DATE.fullmatch((date or "").strip())
    try:
        day = datetime(*map(int, match.groups())) if match else None  # type: ignore[arg-type]
    except ValueError:
        return None
    clock = time_of_day(time)
    return (
        day if day is None or clock is None else day.replace(hour=clock[0], minute=clock[1], second=clock[2])
    )


def time_of_day(time: str | None) -> tuple[int, int, int] | None:
    """Hour, minute and second from "5556.875", "005556.875" or "00:55:56"; None if it is none."""
    text = (time or "").strip()
    if match := _CLOCK.fullmatch(text):
        hour, minute, second = map(int, match.groups())
    else:
        try:
            number = int(float(text))
        except (ValueError, OverflowError):
            return None
        hour, minute, second = number // 10_000, number // 100 % 100, number % 100
    usable = 0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60
    return (hour, minute, second) if usable else None


def _open_lists(roots: MimicRoots, tables: Tables, inputs: Inputs, metadata: Path) -> None:
    split = table(roots.jpg, "mimic-cxr-2.0.0-split")
    inputs.check("metadata", metadata)
    inputs.check("split", split)
    text, ids = Kind.TEXT, Kind.ID
    told = ("ViewPosition", "ViewCodeSequence_CodeMeaning", "PerformedProcedureStepDescription")
    columns = {"subject_id": ids, "study_id": ids, "dicom_id": text, "StudyDate": text, "StudyTime": text}
    tables.view("metadata", metadata, {**columns, **dict.fromkeys(told, text)}, optional=told[1:])
    tables.view("split", split, {"dicom_id": text, "split": text})


def _refuse_overlap(films: Iterable[Film], root: Path) -> None:
    splits: dict[int, str] = {}
    for film in films:
        if splits.setdefault(film.subject_id, film.split) != film.split:
            raise UserError(f"{root}: patient {film.subject_id} is in two splits; split by patient")
