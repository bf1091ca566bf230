"""The diagnoses of each film's stay, and of the patient's earlier stays, from the codes made after discharge."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from engine.data.mimic.cells import Kind
from engine.data.mimic.checksums import Inputs
from engine.data.mimic.code_repair import CodeBook
from engine.data.mimic.diagnosis_list import group_of
from engine.data.mimic.tables import Tables
from engine.data.mimic.tree import MimicRoots, find_table, table
from engine.words.printable import clean_line

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """code: "10:I509". title: "" if the dictionary lacks it. group: of the list. source: the row."""

    code: str
    title: str
    group: str
    source: str


def read_diagnoses(
    roots: MimicRoots, tables: Tables, inputs: Inputs, rows: Counter[str], missing: list[str]
) -> dict[str, str]:
    """Makes the tables `coded` (every listed code of a stay, by its number) and `resolved`.

    rows: counts what became of the rows. Returns the codes that could not be read and why, a few of them.
    """
    columns = {"seq_num": Kind.TEXT, "icd_code": Kind.TEXT, "icd_version": Kind.TEXT}
    path = table(roots.hosp, "diagnoses_icd")
    inputs.check("diagnoses_icd", path)
    tables.view("diagnoses_icd", path, {"subject_id": Kind.ID, "hadm_id": Kind.ID, **columns})
    tables.run(
        """
        CREATE OR REPLACE TABLE diagnosis AS
        SELECT 'hosp' AS part, hadm_id AS stay, as_number(seq_num) AS seq, icd_version AS version,
               upper(icd_code) AS code, NULL::VARCHAR AS title
        FROM diagnoses_icd SEMI JOIN patient USING (subject_id) WHERE hadm_id IS NOT NULL
        """,
        "diagnoses_icd",
    )
    emergency = roots.ed and find_table(roots.ed, "diagnosis")
    if roots.ed is not None and emergency is None:
        missing.append("ed/diagnosis (codes of emergency stays without admission)")
    if emergency is not None:
        inputs.check("diagnosis", emergency)
        tables.view(
            "ed_diagnosis",
            emergency,
            {"subject_id": Kind.ID, "stay_id": Kind.ID, **columns, "icd_title": Kind.TEXT},
            optional=("icd_title",),
        )
        tables.run(
            """
            INSERT INTO diagnosis SELECT 'ed', stay_id, as_number(seq_num), icd_version, upper(icd_code), icd_title
            FROM ed_diagnosis SEMI JOIN patient USING (subject_id) WHERE stay_id IS NOT NULL
            """,
            "ed_diagnosis",
        )
    return _resolve(tables, _code_book(roots, tables, inputs), rows)


def _code_book(roots: MimicRoots, tables: Tables, inputs: Inputs) -> CodeBook:
    path = table(roots.hosp, "d_icd_diagnoses")
    inputs.check("d_icd_diagnoses", path)
    columns = ("icd_code", "icd_version", "long_title")
    tables.view("d_icd_diagnoses", path, dict.fromkeys(columns, Kind.TEXT))
    titles = {}
    doubled = set()
    own = CodeBook({})
    for code, version, title, different in tables.rows(
        "SELECT icd_code, icd_version, min(long_title), count(DISTINCT lower(long_title)) > 1 FROM d_icd_diagnoses "
        "WHERE icd_code IS NOT NULL GROUP BY ALL ORDER BY 1, 2",
        "d_icd_diagnoses",
    ):
        if (known := own.resolve(version, code).code) is not None:
            titles[known] = clean_line(title or "")
            if different and known.startswith("9:"):
                doubled.add(known)
    return CodeBook(titles, doubled)


def _resolve(tables: Tables, book: CodeBook, rows: Counter[str]) -> dict[str, str]:
    """What each pair of version and code means; the rows of `diagnosis` are counted by what became of them."""
    known = [*tables.rows("SELECT version, code, count(*) FROM diagnosis GROUP BY ALL ORDER BY 1, 2")]
    book.notice({(version or "", code or "") for version, code, _ in known})
    resolved = []
    unreadable: dict[str, str] = {}
    for version, code, number in known:
        if code is None:
            rows["diagnosis rows without a code"] += number
            continue
        found = book.resolve(version, code)
        if found.code is None:
            rows["diagnosis rows whose code could not be read"] += number
            if len(unreadable) < _SHOWN:
                unreadable[f"{version or '?'}:{code}"] = found.problem
            continue
        if found.restored:
            rows["diagnosis rows whose code was restored from the dictionary"] += number
        group, title = group_of(found.code), book.titles.get(found.code, "")
        if group is None:
            rows["diagnosis rows that no chest film bears on (not in the list)"] += number
        else:
            rows["diagnosis rows of the list"] += number
            if not title:
                rows["diagnosis rows of the list without a title in the dictionary"] += number
        resolved.append((version, code, found.code, title, group))
    kinds = dict.fromkeys(("version", "code", "icd", "title", "listed"), "VARCHAR")
    tables.load("resolved", kinds, resolved)
    tables.run(
        """
        CREATE OR REPLACE TABLE coded AS
        SELECT d.part, d.stay, coalesce(d.seq, 1e9) AS seq, r.icd, r.listed,
               coalesce(d.title, r.title, '') AS title
        FROM diagnosis d JOIN resolved r ON d.code = r.code AND d.version IS NOT DISTINCT FROM r.version
        WHERE r.listed IS NOT NULL
        """
    )
    return unreadable


def target_codes(tables: Tables) -> Iterator[tuple[int, Diagnosis]]:
    """The listed codes of each film's own stay, weightiest first, by film number; the same code may come twice."""
    for n, part, stay, seq, icd, listed, title in tables.rows(
        """
        SELECT c.n, d.part, d.stay, d.seq, d.icd, d.listed, d.title FROM (
            SELECT n, 'hosp' AS part, hadm_id AS stay FROM chosen WHERE hadm_id IS NOT NULL
            UNION ALL SELECT n, 'ed', stay_id FROM chosen WHERE hadm_id IS NULL
        ) c JOIN coded d USING (part, stay) ORDER BY c.n, d.seq, d.icd
        """
    ):
        yield n, Diagnosis(icd, clean_line(title), listed, _source(part, stay, seq))


def earlier_codes(tables: Tables, lag: timedelta, most: int) -> Iterator[tuple[int, Diagnosis]]:
    """The listed titles of admissions that had ended at least `lag` before the film, the latest first."""
    for n, stay, seq, icd, listed, title in tables.rows(
        f"""
        SELECT n, stay, seq, icd, listed, title FROM (
            SELECT f.n, d.stay, d.seq, d.icd, d.listed, d.title, a.dischtime
            FROM film f JOIN admission a
                ON a.subject_id = f.subject_id AND a.dischtime <= f.taken - INTERVAL {lag.days} DAY
            LEFT JOIN chosen c ON c.n = f.n
            JOIN coded d ON d.part = 'hosp' AND d.stay = a.hadm_id
            WHERE d.title <> '' AND a.hadm_id IS DISTINCT FROM c.hadm_id
            QUALIFY row_number() OVER (PARTITION BY f.n, d.title ORDER BY a.dischtime DESC, d.stay DESC, d.seq) = 1
        ) QUALIFY row_number() OVER (PARTITION BY n ORDER BY dischtime DESC, stay DESC, seq, icd) <= {most}
        ORDER BY n, dischtime DESC, stay DESC, seq, icd
        """
    ):
        yield n, Diagnosis(icd, clean_line(title), listed, _source("hosp", stay, seq))


def _source(part: str, stay: int, seq: float) -> str:
    where = "diagnoses_icd, hadm_id" if part == "hosp" else "ed diagnosis, stay_id"
    number = f", seq_num {int(seq)}" if seq < 1e9 else ""
    return f"{where} {stay}{number}"
