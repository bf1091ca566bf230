"""Admissions and emergency stays of the films' patients, and the one that each film belongs to."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from engine.data.mimic.cells import Kind
from engine.data.mimic.checksums import Inputs
from engine.data.mimic.encounters import Admission, EmergencyStay, Encounter, PatientStays, encounter_of
from engine.data.mimic.films import Film
from engine.data.mimic.tables import Tables
from engine.data.mimic.tree import MimicRoots, table

#: How long before the film a value may have been taken.
WINDOW = timedelta(hours=48)


def read_stays(roots: MimicRoots, tables: Tables, inputs: Inputs, rows: Counter[str]) -> None:
    """Makes the tables `admission` and `edstay` of the patients in `patient`; counts rows that have no times."""
    path = table(roots.hosp, "admissions")
    inputs.check("admissions", path)
    times = ("admittime", "dischtime", "edregtime")
    columns = {"subject_id": Kind.ID, "hadm_id": Kind.ID, **dict.fromkeys(times, Kind.TIME)}
    tables.view("admissions", path, columns, optional=("edregtime",))
    tables.run(
        "CREATE OR REPLACE TABLE admission AS SELECT DISTINCT * FROM admissions SEMI JOIN patient USING (subject_id)",
        "admissions",
    )
    tables.run(
        "CREATE OR REPLACE TABLE edstay (subject_id BIGINT, hadm_id BIGINT, stay_id BIGINT, intime TIMESTAMP, "
        "outtime TIMESTAMP)"
    )
    if roots.ed is not None:
        path = table(roots.ed, "edstays")
        inputs.check("edstays", path)
        ids = dict.fromkeys(("subject_id", "hadm_id", "stay_id"), Kind.ID)
        tables.view("edstays", path, {**ids, "intime": Kind.TIME, "outtime": Kind.TIME})
        tables.run(
            "INSERT INTO edstay SELECT DISTINCT * FROM edstays SEMI JOIN patient USING (subject_id)",
            "edstays",
        )
    for name, begin, end in (("admission", "admittime", "dischtime"), ("edstay", "intime", "outtime")):
        blank, turned = tables.one(
            f"SELECT count(*) FILTER ({begin} IS NULL OR {end} IS NULL), count(*) FILTER ({end} < {begin}) FROM {name}"
        )
        rows[f"{name}s without both times"] = blank
        rows[f"{name}s that end before they begin"] = turned


def link_films(
    tables: Tables, films: Sequence[Film], soon: timedelta, stays: Counter[str], notes: Counter[str]
) -> None:
    """Makes the tables `chosen` (each film's stay) and `span` (the time in which a value may stand in its context).

    films: by patient; their numbers are their places. stays: counts how the films' stays were found, or why not.
    """
    kinds = dict.fromkeys(("n", "subject_id", "hadm_id", "stay_id"), "BIGINT")
    spans = {**kinds, "opens": "TIMESTAMP", "closes": "TIMESTAMP"}
    tables.load("span", spans, ())
    tables.load(
        "chosen",
        {**kinds, "start": "TIMESTAMP", "taken": "TIMESTAMP"},
        _chosen(tables, films, soon, stays, notes),
    )
    hours = round(WINDOW.total_seconds() / 3600)
    tables.run(
        "INSERT INTO span SELECT n, subject_id, hadm_id, stay_id, "
        f"greatest(start, taken - INTERVAL {hours} HOUR), taken FROM chosen WHERE start <= taken"
    )


def _chosen(
    tables: Tables, films: Sequence[Film], soon: timedelta, stays: Counter[str], notes: Counter[str]
) -> Iterator[tuple[int, int, int | None, int | None, datetime, datetime]]:
    admissions = Grouped(
        tables.rows(
            "SELECT subject_id, hadm_id, admittime, dischtime, edregtime FROM admission "
            "WHERE hadm_id IS NOT NULL AND admittime IS NOT NULL AND dischtime IS NOT NULL ORDER BY ALL"
        )
    )
    emergency = Grouped(
        tables.rows(
            "SELECT subject_id, hadm_id, stay_id, intime, outtime FROM edstay "
            "WHERE stay_id IS NOT NULL AND intime IS NOT NULL AND outtime IS NOT NULL ORDER BY ALL"
        )
    )
    for subject_id, own in groupby(enumerate(films), key=lambda entry: entry[1].subject_id):
        patient = PatientStays(
            [Admission(*row) for row in admissions.of(subject_id)],
            [EmergencyStay(*row) for row in emergency.of(subject_id)],
        )
        notes["emergency stays whose admission was found by the hours"] += patient.linked_by_time
        notes["emergency stays whose hadm_id names an admission of other hours"] += patient.of_other_hours
        for n, film in own:
            found, how = encounter_of(patient, film.taken, film.timed, soon)
            stays[how] += 1
            if found is not None:
                yield _row(n, film, found)


def _row(n: int, film: Film, found: Encounter) -> tuple[int, int, int | None, int | None, datetime, datetime]:
    return n, film.subject_id, found.hadm_id, found.stay_id, found.start, film.taken


class Grouped:
    """The rows of an ordered query by their first column; asked for in rising order of it."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._groups = groupby(rows, key=itemgetter(0))
        self._next: tuple[int, list[tuple[Any, ...]]] | None = None
        self._advance()

    def of(self, key: int) -> list[tuple[Any, ...]]:
        """The rows with that key; none of a smaller one will be asked for again."""
        while self._next is not None and self._next[0] < key:
            self._advance()
        if self._next is None or self._next[0] != key:
            return []
        return self._next[1]

    def _advance(self) -> None:
        group = next(self._groups, None)
        self._next = None if group is None else (group[0], list(group[1]))
