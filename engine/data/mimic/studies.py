"""The studies of a MIMIC tree, each with its film, its report's text, its labels and its record.

All that is known lies in tables on disk; a study is put together when it is asked for, and let go.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypeVar

from engine.data.curriculum import complete_labels
from engine.data.mimic.checksums import Inputs
from engine.data.mimic.diagnoses import Diagnosis, earlier_codes, read_diagnoses, target_codes
from engine.data.mimic.ehr_context import VITALS, EhrContext, Measurement
from engine.data.mimic.films import Film, read_films
from engine.data.mimic.joins import (
    Joins,
    count_codes,
    count_emergency,
    count_history,
    count_labs,
)
from engine.data.mimic.lab_items import lab_items
from engine.data.mimic.label_table import count_labels, labels_of, read_labels
from engine.data.mimic.labs import lab_values, read_labs
from engine.data.mimic.patients import people, read_patients
from engine.data.mimic.stays import Grouped, link_films, read_stays
from engine.data.mimic.tables import Tables
from engine.data.mimic.tree import MimicRoots
from engine.data.mimic.vitals import complaints, read_vitals, vital_values
from engine.data.sections.main_text import main_text, official_main_text
from engine.data.sections.reading import decode
from engine.errors import UserError
from engine.files.plain_file import open_plain

_Key = TypeVar("_Key")

MAX_CODES = 6
MAX_HISTORY = 3

#: Whose reading of the reports: ours, or the official section parser's to the letter.
Sections = Literal["own", "official"]

#: Hears what is being done, how much of it, out of how much (0: unknown).
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Study:
    """All that is known of one study: a stage A sample if it has labels, a stage B sample if it has codes.

    linked: whether the film belongs to a stay. diagnoses: the stay's codes of the list, weightiest first.
    history: what earlier stays were coded with.
    """

    film: Film
    section: str
    impression: str
    labels: Mapping[str, int | None]
    linked: bool
    context: EhrContext
    diagnoses: tuple[Diagnosis, ...]
    history: tuple[Diagnosis, ...]

    @property
    def labelled(self) -> bool:
        return any(value is not None for value in self.labels.values())


@dataclass(frozen=True, slots=True)
class Linking:
    """history_lag: how long a stay must have ended before its codes are history. soon: how long before a stay a
    film may be taken and still have its codes as target."""

    history_lag: timedelta = timedelta(days=30)
    soon: timedelta = timedelta(0)


def read_tables(
    roots: MimicRoots,
    tables: Tables,
    inputs: Inputs,
    linking: Linking,
    seed: int,
    limit: int | None,
    sections: Sections,
    dropped: Counter[str],
    counts: Counter[str],
    joins: Joins,
    say: Progress,
) -> list[Film]:
    """Makes every table that a study is put together from; returns the films with a text, by patient and study.

    What is left out is counted in `dropped`, what was odd about the reports in `counts`, what was
    joined with what in `joins`.
    """
    say("reading the list of films", 0, 0)
    found = read_films(roots, tables, inputs, dropped, joins.notes)
    if limit is not None and len(found) > limit:
        dropped["beyond the limit"] = len(found) - limit
        found = sorted(found, key=lambda film: chance(seed, "limit", film.study_id))[:limit]
    found.sort(key=lambda film: (film.subject_id, film.study_id))
    films: list[Film] = []
    texts = _texts(roots, found, films, sections, dropped, counts, say)
    tables.load("report", {"n": "INT", "section": "VARCHAR", "text": "VARCHAR"}, texts)
    kinds = {"n": "INT", "subject_id": "BIGINT", "study_id": "BIGINT", "taken": "TIMESTAMP"}
    tables.load("film", kinds, ((n, f.subject_id, f.study_id, f.taken) for n, f in enumerate(films)))
    tables.run("CREATE OR REPLACE TABLE patient AS SELECT DISTINCT subject_id FROM film")
    say("reading labels", 0, 0)
    read_labels(roots, tables, inputs)
    count_labels(tables, len(films), joins.of("CheXpert labels"))
    say("reading admissions and emergency stays", 0, 0)
    read_stays(roots, tables, inputs, joins.rows)
    link_films(tables, films, linking.soon, joins.of("hospital or emergency stay"), joins.notes)
    say("reading patients and diagnoses", 0, 0)
    read_patients(roots, tables, inputs)
    if films and tables.one("SELECT count(*) FROM person") == (0,):
        joins.missing.append("any patient of these films in MIMIC-IV (MIMIC-III has other numbers)")
    joins.unreadable.update(read_diagnoses(roots, tables, inputs, joins.rows, joins.missing))
    count_codes(tables, len(films), joins.of("target codes"))
    say("reading triage and vital signs", 0, 0)
    read_vitals(roots, tables, inputs, joins.missing)
    say("reading laboratory events", 0, 0)
    read_labs(roots, tables, inputs, joins.rows, joins.notes)
    count_labs(tables, len(films), joins.of("laboratory values"))
    say("", 0, 0)
    return films


def studies(
    tables: Tables, films: Sequence[Film], linking: Linking, joins: Joins, say: Progress
) -> Iterator[Study]:
    """Every study, in the order of `films`; what a table had nothing for is counted in `joins` at the end."""
    reports = tables.rows("SELECT n, section, text FROM report ORDER BY n")
    linked = Grouped(tables.rows("SELECT n FROM chosen ORDER BY n"))
    labels, persons = Grouped(labels_of(tables)), Grouped(people(tables, joins.of("age and sex")))
    told, signs = Grouped(complaints(tables)), Grouped(vital_values(tables, joins.rows))
    values, codes = Grouped(lab_values(tables)), Grouped(target_codes(tables))
    earlier = Grouped(earlier_codes(tables, linking.history_lag, MAX_HISTORY))
    unlabelled = complete_labels({})
    known: Counter[str] = Counter()
    for (n, section, text), film in zip(reports, films, strict=True):
        if n % 1000 == 0:
            say("writing samples", n, len(films))
        ((_, (sex, age)),) = persons.of(n)
        vitals = {sign.name: measurement for _, (sign, measurement) in signs.of(n)}  # the newest is the last
        labs = {item: measurement for _, (item, measurement) in values.of(n)}
        history = tuple(diagnosis for _, diagnosis in earlier.of(n))
        complaint = next((text for _, text in told.of(n)), "")
        known.update({"vitals": bool(vitals), "complaint": bool(complaint), "history": bool(history)})
        diagnoses = {diagnosis.code: diagnosis for _, diagnosis in reversed(codes.of(n))}
        by_weight = tuple(reversed(diagnoses.values()))
        joins.rows["codes of the list beyond the sixth of a stay"] += max(0, len(by_weight) - MAX_CODES)
        yield Study(
            film,
            section,
            text,
            next((own for _, own in labels.of(n)), unlabelled),
            bool(linked.of(n)),
            EhrContext(
                age=age,
                sex=sex,
                complaint=complaint,
                vitals=_ordered({sign.name: sign.name for sign in VITALS}, vitals),
                labs=_ordered({item.item: item.name for item in lab_items().values()}, labs),
                history=tuple(diagnosis.title for diagnosis in history),
            ),
            by_weight[:MAX_CODES],
            history,
        )
    count_emergency(tables, len(films), known["vitals"], "vital sign", joins.of("vital signs"))
    count_emergency(tables, len(films), known["complaint"], "complaint", joins.of("complaint"))
    count_history(tables, len(films), known["history"], linking.history_lag, joins.of("earlier diagnoses"))


def _ordered(names: Mapping[_Key, str], found: Mapping[_Key, Measurement]) -> dict[str, Measurement]:
    return {name: found[key] for key, name in names.items() if key in found}


def _texts(
    roots: MimicRoots,
    found: Sequence[Film],
    films: list[Film],
    sections: Sections,
    dropped: Counter[str],
    counts: Counter[str],
    say: Progress,
) -> Iterator[tuple[int, str, str]]:
    """Number, section and text of every film that has one; those go to `films`."""
    for done, film in enumerate(found):
        if done % 500 == 0:
            say("reading reports", done, len(found))
        text = _read_text(roots.reports / film.report, film.study_id, sections, dropped, counts)
        if text is not None:
            films.append(film)
            yield len(films) - 1, *text


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


def chance(seed: int, purpose: str, study_id: int) -> bytes:
    """A draw that depends on nothing but its arguments, so that one more study moves no other."""
    return hashlib.blake2b(f"{seed}:{purpose}:{study_id}".encode(), digest_size=8).digest()
