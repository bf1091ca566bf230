"""Sex and age of each film's patient."""

from collections import Counter
from collections.abc import Iterator

from engine.data.mimic.cells import Kind
from engine.data.mimic.checksums import Inputs
from engine.data.mimic.tables import Tables
from engine.data.mimic.tree import MimicRoots, table

#: MIMIC calls everybody above 89 by this number, whatever the year; it is no age to reckon with.
OVER_89 = 91
_SEXES = ("F", "M")


def read_patients(roots: MimicRoots, tables: Tables, inputs: Inputs) -> None:
    """Makes `person`: a row a patient of `patient`."""
    path = table(roots.hosp, "patients")
    inputs.check("patients", path)
    texts = dict.fromkeys(("gender", "anchor_age", "anchor_year"), Kind.TEXT)
    tables.view("patients", path, {"subject_id": Kind.ID, **texts})
    tables.run(
        """
        CREATE OR REPLACE TABLE person AS
        SELECT subject_id, min(upper(gender)) AS gender, min(as_number(anchor_age)) AS age,
               min(as_number(anchor_year)) AS year
        FROM patients SEMI JOIN patient USING (subject_id) GROUP BY subject_id
        """,
        "patients",
    )


def people(tables: Tables, counts: Counter[str]) -> Iterator[tuple[int, tuple[str | None, int | None]]]:
    """Sex and age at the film by film number. counts: counts what is not known."""
    for n, taken, known, gender, age, year in tables.rows(
        "SELECT f.n, year(f.taken), p.subject_id IS NOT NULL, p.gender, p.age, p.year "
        "FROM film f LEFT JOIN person p USING (subject_id) ORDER BY f.n"
    ):
        at_film = age_at(taken, age, year)
        sex = gender[0] if gender and gender[0] in _SEXES else None
        counts["not in the table" if not known else "without age" if at_film is None else "matched"] += 1
        yield n, (sex, at_film)


def age_at(film_year: int, anchor_age: float | None, anchor_year: float | None) -> int | None:
    """Whole years; OVER_89 for everybody above 89 and whoever was in the anchor year; None if it is not known."""
    if anchor_age is None or anchor_age < 0:
        return None
    if anchor_age > 89:
        return OVER_89
    if anchor_year is None:
        return None
    age = round(anchor_age + film_year - anchor_year)
    return None if age < 0 else OVER_89 if age > 89 else age
