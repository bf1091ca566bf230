"""The film of each study: frontal, in the official split, with the time it was taken."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from engine.data.images import outside
from engine.data.mimic.tree import MimicRoots, Tables, table
from engine.errors import UserError

FRONTAL = ("PA", "AP")  # in this order of preference
_SPLITS = {"train": "train", "validate": "val", "test": "test"}


@dataclass(frozen=True, slots=True)
class Film:
    """One study and the film that stands for it; `image` and `report` are relative to their trees' roots."""

    subject_id: int
    study_id: int
    dicom_id: str
    taken: datetime
    split: str

    @property
    def image(self) -> str:
        return f"{patient_folder(self.subject_id)}/s{self.study_id}/{self.dicom_id}.jpg"

    @property
    def report(self) -> str:
        return f"{patient_folder(self.subject_id)}/s{self.study_id}.txt"


def patient_folder(subject_id: int) -> str:
    """ "files/p10/p10000032"."""
    return f"files/p{str(subject_id)[:2]}/p{subject_id}"


def read_films(roots: MimicRoots, tables: Tables, dropped: Counter[str]) -> list[Film]:
    """One film a study, by patient and study: PA before AP, then the first by DICOM id, of those on disk.

    Studies without one are counted in `dropped` with the reason. Raises UserError if a patient is in two
    splits.
    """
    rows = tables.query(
        """
        SELECT CAST(m.subject_id AS BIGINT), CAST(m.study_id AS BIGINT), m.dicom_id, m.ViewPosition,
               m.StudyDate, m.StudyTime, s.split
        FROM {metadata} m LEFT JOIN {split} s USING (dicom_id)
        ORDER BY 1, 2, 3
        """,
        metadata=table(roots.jpg, "mimic-cxr-2.0.0-metadata"),
        split=table(roots.jpg, "mimic-cxr-2.0.0-split"),
    )
    studies: dict[int, list[tuple[int, Film]]] = {}
    problems: dict[int, str] = {}
    for subject_id, study_id, dicom_id, view, date, time, split in rows:
        problems.setdefault(study_id, "no frontal film (AP or PA)")
        if view not in FRONTAL:
            continue
        taken = film_time(date, time)
        if taken is None or split not in _SPLITS:
            problems[study_id] = "no study date" if taken is None else "not in the split file"
            continue
        film = Film(subject_id, study_id, dicom_id, taken, _SPLITS[split])
        if not (roots.jpg / film.image).is_file():
            problems[study_id] = "image file missing"
            continue
        if (way_out := outside(roots.jpg, film.image)) is not None:
            problems[study_id] = f"image {way_out}"
            continue
        studies.setdefault(study_id, []).append((FRONTAL.index(view), film))
    dropped.update(reason for study_id, reason in problems.items() if study_id not in studies)
    films = [
        min(candidates, key=lambda item: (item[0], item[1].dicom_id))[1] for candidates in studies.values()
    ]
    _refuse_overlap(films, roots.jpg)
    return films


def film_time(date: str | None, time: str | None) -> datetime | None:
    """When the film was taken, from "21800506" and "5556.875" (leading zeros lost); None if no date.

    Without a usable time it is the start of that day: too early lets less of the record in, never more.
    """
    try:
        day = datetime.strptime(date or "", "%Y%m%d")
    except ValueError:
        return None
    try:
        return datetime.strptime(f"{date} {int(float(time or 0)):06d}", "%Y%m%d %H%M%S")
    except (ValueError, OverflowError):
        return day


def _refuse_overlap(films: Iterable[Film], root: Path) -> None:
    splits: dict[int, str] = {}
    for film in films:
        if splits.setdefault(film.subject_id, film.split) != film.split:
            raise UserError(f"{root}: patient {film.subject_id} is in two splits; split by patient")
