"""The studies of a MIMIC tree, each with its film, its report's text, its labels and its record."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.data.curriculum import complete_labels
from engine.data.labels import LABELS
from engine.data.mimic.ehr_tables import StudyRecord, read_records
from engine.data.mimic.films import Film, read_films
from engine.data.mimic.tree import MimicRoots, Tables, table
from engine.data.sections.main_text import main_text, official_main_text
from engine.data.sections.reading import decode
from engine.errors import UserError
from engine.files.plain_file import open_plain

#: Other names for labels in MIMIC-CXR-JPG's files.
_LABEL_COLUMNS = {"Lung Opacity": ("Lung Opacity", "Airspace Opacity")}
_LABEL_VALUES = {"1.0": 1, "1": 1, "0.0": 0, "0": 0, "-1.0": -1, "-1": -1}

#: Whose reading of the reports: ours, or the official section parser's to the letter.
Sections = Literal["own", "official"]

#: Hears what is being done, how much of it, out of how much (0: unknown).
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Study:
    """All that is known of one study: a stage A sample if it has labels, a stage B sample if it has codes."""

    film: Film
    section: str
    impression: str
    labels: Mapping[str, int | None]
    record: StudyRecord

    @property
    def labelled(self) -> bool:
        return any(value is not None for value in self.labels.values())


def read_studies(
    roots: MimicRoots,
    tables: Tables,
    seed: int,
    limit: int | None,
    sections: Sections,
    dropped: Counter[str],
    counts: Counter[str],
    say: Progress,
) -> list[Study]:
    """Every study with a film and a text, by patient and study.

    What is left out is counted in `dropped`, what was odd about the reports in `counts`.
    """
    say("reading the list of films", 0, 0)
    films = read_films(roots, tables, dropped)
    if limit is not None and len(films) > limit:
        dropped["beyond the limit"] = len(films) - limit
        films = sorted(films, key=lambda film: chance(seed, "limit", film.study_id))[:limit]
        films.sort(key=lambda film: (film.subject_id, film.study_id))
    texts: dict[int, tuple[str, str]] = {}
    for number, film in enumerate(films):
        if number % 500 == 0:
            say("reading reports", number, len(films))
        text = _read_text(roots.reports / film.report, film.study_id, sections, dropped, counts)
        if text is not None:
            texts[film.study_id] = text
    films = [film for film in films if film.study_id in texts]
    say("reading labels", 0, 0)
    labels = _read_labels(roots, tables)
    records = read_records(roots, tables, films, lambda what: say(what, 0, 0))
    unlabelled = complete_labels({})
    return [
        Study(film, *texts[film.study_id], labels.get(film.study_id, unlabelled), records[film.study_id])
        for film in films
    ]


def _read_text(
    path: Path, study_id: int, sections: Sections, dropped: Counter[str], counts: Counter[str]
) -> tuple[str, str] | None:
    try:
        with open_plain(path, "rb") as file:
            report, encoding = decode(file.read())
    except FileNotFoundError:
        dropped["report missing"] += 1
        return None
    except OSError as error:
        raise UserError(f"{path}: cannot read the report: {error.strerror}") from error
    reader = official_main_text if sections == "official" else main_text
    found = reader(report, f"s{study_id}")
    counts.update((*encoding, *found.reasons))
    if not found.text:
        dropped["report without impression, findings or last paragraph"] += 1
        return None
    return found.section, found.text


def _read_labels(roots: MimicRoots, tables: Tables) -> dict[int, dict[str, int | None]]:
    """The CheXpert labels of each study; columns are matched by name, their order differs between files."""
    path = table(roots.jpg, "mimic-cxr-2.0.0-chexpert")
    columns = {row[0] for row in tables.query("SELECT column_name FROM (DESCRIBE FROM {file})", file=path)}
    names = {
        label: next((n for n in _LABEL_COLUMNS.get(label, (label,)) if n in columns), None)
        for label in LABELS
    }
    if missing := [label for label, name in names.items() if name is None]:
        raise UserError(f"{path}: has no column {', '.join(missing)}")
    selected = ", ".join(f'"{name}"' for name in names.values())
    rows = tables.query(f"SELECT CAST(study_id AS BIGINT), {selected} FROM {{file}}", file=path)
    return {
        study_id: {label: _LABEL_VALUES.get(value or "") for label, value in zip(LABELS, values, strict=True)}
        for study_id, *values in rows
    }


def chance(seed: int, purpose: str, study_id: int) -> bytes:
    """A draw that depends on nothing but its arguments, so that one more study moves no other."""
    return hashlib.blake2b(f"{seed}:{purpose}:{study_id}".encode(), digest_size=8).digest()
