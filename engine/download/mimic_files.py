"""Which files of MIMIC a training run needs, where PhysioNet keeps them, and which films make a subset."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.data.importing.formats import read_records
from engine.data.importing.values import split_of
from engine.errors import UserError
from engine.files.plain_file import open_plain
from engine.words.plural import counted

_DICOM_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}")
_NUMBER = re.compile(r"[ps]?([15]\d{7})")
_SUM = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(?:\./)?(.+)")
_FRONTAL = ("AP", "PA", "")  # portable films often have no view

#: Bytes of a film, on the average of all 377,110.
FILM_BYTES = 1_510_000

SUMS = "SHA256SUMS.txt"
SPLIT_TABLE = "mimic-cxr-2.0.0-split.csv.gz"
METADATA = "mimic-cxr-2.0.0-metadata.csv.gz"


@dataclass(frozen=True, slots=True)
class Project:
    """A project of PhysioNet at one version. tables: the files of it that are always taken."""

    slug: str
    version: str
    tables: tuple[str, ...]

    @property
    def place(self) -> str:
        """Where it lies, on the server and here: "mimiciv/3.1"."""
        return f"{self.slug}/{self.version}"


PROJECTS: Mapping[str, Project] = {
    "films": Project("mimic-cxr-jpg", "2.1.0", (METADATA, SPLIT_TABLE, "mimic-cxr-2.0.0-chexpert.csv.gz")),
    "reports": Project("mimic-cxr", "2.1.0", ("mimic-cxr-reports.zip",)),
    "hosp": Project(
        "mimiciv",
        "3.1",
        tuple(
            f"hosp/{name}.csv.gz"
            for name in (
                "patients",
                "admissions",
                "diagnoses_icd",
                "d_icd_diagnoses",
                "d_labitems",
                "labevents",
            )
        ),
    ),
    "ed": Project(
        "mimic-iv-ed",
        "2.2",
        tuple(f"ed/{name}.csv.gz" for name in ("edstays", "triage", "vitalsign", "diagnosis")),
    ),
}


@dataclass(frozen=True, slots=True)
class Film:
    """One film of MIMIC-CXR-JPG."""

    dicom_id: str
    study_id: str
    subject_id: str
    split: str

    @property
    def path(self) -> str:
        """Below its project: "files/p10/p10000032/s50414267/….jpg"."""
        return f"{self._study}/{self.dicom_id}.jpg"

    @property
    def report(self) -> str:
        """Its study's report below the project of the reports: "files/p10/p10000032/s50414267.txt"."""
        return f"{self._study}.txt"

    @property
    def _study(self) -> str:
        return f"files/p{self.subject_id[:2]}/p{self.subject_id}/s{self.study_id}"


@dataclass(frozen=True, slots=True)
class Subset:
    """Which films are wanted.

    listed: a file that names them, by image, study or patient; None for all. splits: "train", "val", "test"; none means
    all. count: at most so many, drawn by `seed`. frontal: only AP, PA, and those whose view is not said.
    """

    listed: Path | None = None
    splits: tuple[str, ...] = ()
    count: int | None = None
    seed: int = 0
    frontal: bool = False


def read_sums(path: Path, wanted: Iterable[str] | None = None) -> dict[str, str]:
    """SHA-256 by path, of those that are wanted. Raises UserError where the file is no such list."""
    names = None if wanted is None else set(wanted)
    sums: dict[str, str] = {}
    lines = 0
    with open_plain(path, errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if line.isspace():
                continue
            match = _SUM.fullmatch(line.rstrip("\r\n"))
            if match is None:
                raise UserError(
                    f"{path}:{number}: is no line of a list of SHA-256 sums; remove the file and try again"
                )
            lines += 1
            if names is None or match[2] in names:
                sums[match[2]] = match[1].lower()
    if not lines:
        raise UserError(f"{path}: is empty; remove the file and try again")
    return sums


def read_films(split_table: Path, metadata: Path | None) -> list[Film]:
    """All films of MIMIC's split table; with `metadata` only the frontal ones. Raises UserError."""
    frontal = None if metadata is None else _frontal(metadata)
    films = []
    for record in read_records(split_table):
        row = record.fields or {}
        split = split_of(row.get("split"))
        dicom_id, study, subject = (str(row.get(name, "")) for name in ("dicom_id", "study_id", "subject_id"))
        # These become a path: nothing but what MIMIC's own names look like.
        if split is None or not (
            _DICOM_ID.fullmatch(dicom_id)
            and re.fullmatch(r"5\d{7}", study)
            and re.fullmatch(r"1\d{7}", subject)
        ):
            raise UserError(f"{record.where}: is no row of MIMIC's split table")
        if frontal is None or dicom_id in frontal:
            films.append(Film(dicom_id, study, subject, split))
    return films


def chosen(films: Sequence[Film], subset: Subset) -> tuple[list[Film], list[str]]:
    """The subset, by path, and remarks on what of the list is not there. Raises UserError if nothing is left."""
    remarks: list[str] = []
    if subset.listed is not None:
        films, unknown = _listed(films, subset.listed)
        if unknown:
            remarks.append(
                f"{counted(len(unknown), 'name')} of {subset.listed} not among the films (first: {unknown[0]})"
            )
    if subset.splits:
        films = [film for film in films if film.split in subset.splits]
    if not films:
        raise UserError(
            "no film is left of what was asked for: " + ("; ".join(remarks) or "look at --list and --split")
        )
    if subset.count is not None:
        if len(films) < subset.count:
            remarks.append(f"only {counted(len(films), 'film')} of the {subset.count:,} that were asked for")
        films = sorted(films, key=lambda film: _draw(subset.seed, film.dicom_id))[: subset.count]
    return sorted(films, key=lambda film: film.path), remarks


def _frontal(metadata: Path) -> set[str]:
    found = set()
    for record in read_records(metadata):
        row: dict[str, Any] = record.fields or {}
        if "ViewPosition" not in row or "dicom_id" not in row:
            raise UserError(f"{record.where}: lacks dicom_id or ViewPosition")
        if str(row["ViewPosition"]).strip() in _FRONTAL:
            found.add(str(row["dicom_id"]))
    return found


def _listed(films: Sequence[Film], path: Path) -> tuple[list[Film], list[str]]:
    """The films that the file names, and the names that are none of theirs.

    Whatever the file is, a list of paths, a table or a curriculum: every DICOM id in it counts; where there is none, a
    line is the number of a study or of a patient.
    """
    try:
        with open_plain(path) as file:
            text = str(file.read())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: cannot read the list: {getattr(error, 'strerror', None) or 'is not UTF-8'}"
        ) from error
    names = list(dict.fromkeys(_DICOM_ID.findall(text)))
    if names:
        known = {film.dicom_id for film in films}
        wanted = set(names)
        return [film for film in films if film.dicom_id in wanted], [
            name for name in names if name not in known
        ]
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _NUMBER.fullmatch(line.strip())
        if match is None:
            raise UserError(f"{path}:{number}: names no image (by DICOM id), study (s5…) or patient (p1…)")
        names.append(match[1])
    if not names:
        raise UserError(f"{path}: is empty")
    wanted, known = set(names), {name for film in films for name in (film.study_id, film.subject_id)}
    found = [film for film in films if film.study_id in wanted or film.subject_id in wanted]
    return found, [name for name in names if name not in known]


def _draw(seed: int, dicom_id: str) -> bytes:
    return hashlib.blake2b(f"{seed}/{dicom_id}".encode(), digest_size=16).digest()
