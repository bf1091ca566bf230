"""The EHR context and the discharge codes of each film, read from MIMIC-IV and MIMIC-IV-ED.

Every value in a context was known when the film was taken: laboratory values by the time they were stored,
vital signs by the time they were charted, the complaint by the arrival, diagnoses only from ended admissions.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.data.icd import is_icd
from engine.data.mimic.ehr_context import LABS, MAX_HISTORY, VITALS, EhrContext, Measurement, judged, vital
from engine.data.mimic.encounters import Admission, EmergencyStay, Encounter, encounter_at, encounters
from engine.data.mimic.films import Film
from engine.data.mimic.tree import MimicRoots, Tables, find_table, table
from engine.words.printable import clean_line

WINDOW = timedelta(hours=48)
MAX_CODES = 6

Diagnosis = tuple[str, str]  # code ("10:I509") and title ("" if the dictionary lacks it)


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """What the tables say about one film. diagnoses: the encounter's discharge codes, weightiest first."""

    encounter: Encounter | None
    context: EhrContext
    diagnoses: tuple[Diagnosis, ...]


def read_records(
    roots: MimicRoots, tables: Tables, films: Sequence[Film], say: Callable[[str], None]
) -> dict[int, StudyRecord]:
    """The record of each film by study id. `say` hears which table is being read: some take minutes."""
    tables.load("film", ["subject_id"], [(str(s),) for s in sorted({film.subject_id for film in films})])
    say("reading admissions and emergency stays")
    admissions, stays = _admissions(roots, tables), _stays(roots, tables)
    candidates = encounters(admissions, stays)
    chosen = {f.study_id: encounter_at(candidates.get(f.subject_id, ()), f.taken) for f in films}
    _load_windows(tables, films, chosen)
    say("reading patients and diagnoses")
    patients = _patients(roots, tables)
    coded, emergency_coded = _diagnoses(roots, tables), _emergency_diagnoses(roots, tables)
    say("reading triage and vital signs")
    complaints, vitals = _complaints(roots, tables), _vitals(roots, tables)
    say("reading laboratory events")
    labs = _labs(roots, tables)
    say("")
    ended: defaultdict[int, list[Admission]] = defaultdict(list)
    for admission in sorted(admissions, key=lambda a: (a.discharged, a.hadm_id), reverse=True):
        ended[admission.subject_id].append(admission)
    records = {}
    for film in films:
        encounter = chosen[film.study_id]
        sex, birth_year = patients.get(film.subject_id, (None, None))
        age = None if birth_year is None else film.taken.year - birth_year
        context = EhrContext(
            age=age,
            sex=sex,
            complaint=complaints.get(film.study_id, ""),
            vitals=vitals.get(film.study_id, {}),
            labs=labs.get(film.study_id, {}),
            history=_history(ended[film.subject_id], film.taken, coded),
        )
        records[film.study_id] = StudyRecord(encounter, context, _codes(encounter, coded, emergency_coded))
    return records


def _history(
    admissions: Sequence[Admission], taken: datetime, coded: Mapping[int, Sequence[Diagnosis]]
) -> tuple[str, ...]:
    """The first titles of the latest admissions that had ended when the film was taken."""
    titles = (
        title
        for admission in admissions
        if admission.discharged < taken
        for _, title in coded.get(admission.hadm_id, ())
        if title
    )
    return tuple(dict.fromkeys(titles))[:MAX_HISTORY]


def _codes(
    encounter: Encounter | None,
    coded: Mapping[int, Sequence[Diagnosis]],
    emergency_coded: Mapping[int, Sequence[Diagnosis]],
) -> tuple[Diagnosis, ...]:
    if encounter is None:
        return ()
    if encounter.hadm_id is not None:
        found = coded.get(encounter.hadm_id, ())
    else:
        found = emergency_coded.get(encounter.stay_id or 0, ())
    return tuple(dict(found).items())[:MAX_CODES]


def _admissions(roots: MimicRoots, tables: Tables) -> list[Admission]:
    rows = tables.query(
        """
        SELECT CAST(subject_id AS BIGINT), CAST(hadm_id AS BIGINT), CAST(admittime AS TIMESTAMP),
               CAST(dischtime AS TIMESTAMP), CAST(edregtime AS TIMESTAMP)
        FROM {admissions} SEMI JOIN film USING (subject_id)
        WHERE admittime IS NOT NULL AND dischtime IS NOT NULL ORDER BY 1, 3, 2
        """,
        admissions=table(roots.hosp, "admissions"),
    )
    return [Admission(*row) for row in rows]


def _stays(roots: MimicRoots, tables: Tables) -> list[EmergencyStay]:
    if roots.ed is None:
        return []
    rows = tables.query(
        """
        SELECT CAST(subject_id AS BIGINT), CAST(hadm_id AS BIGINT), CAST(stay_id AS BIGINT),
               CAST(intime AS TIMESTAMP), CAST(outtime AS TIMESTAMP)
        FROM {edstays} SEMI JOIN film USING (subject_id)
        WHERE intime IS NOT NULL AND outtime IS NOT NULL ORDER BY 1, 4, 3
        """,
        edstays=table(roots.ed, "edstays"),
    )
    return [EmergencyStay(*row) for row in rows]


def _load_windows(tables: Tables, films: Sequence[Film], chosen: Mapping[int, Encounter | None]) -> None:
    """The time in which a value may stand in each film's context, as the table `span` for the queries."""
    rows = [
        (
            str(film.subject_id),
            film.study_id,
            str(encounter.hadm_id),
            str(encounter.stay_id),
            max(encounter.start, film.taken - WINDOW),
            film.taken,
        )
        for film in films
        if (encounter := chosen[film.study_id]) is not None and encounter.start <= film.taken
    ]
    columns = ["subject_id", "study_id", "hadm_id", "stay_id", "opens", "closes"]
    tables.load("span", columns, rows)


def _patients(roots: MimicRoots, tables: Tables) -> dict[int, tuple[str | None, int | None]]:
    """Sex and (shifted) year of birth of each patient."""
    rows = tables.query(
        """
        SELECT CAST(subject_id AS BIGINT), gender, CAST(anchor_year AS INT) - CAST(anchor_age AS INT)
        FROM {patients} SEMI JOIN film USING (subject_id)
        """,
        patients=table(roots.hosp, "patients"),
    )
    return {subject_id: (sex, birth_year) for subject_id, sex, birth_year in rows}


def _diagnoses(roots: MimicRoots, tables: Tables) -> dict[int, list[Diagnosis]]:
    rows = tables.query(
        """
        SELECT CAST(d.hadm_id AS BIGINT), trim(d.icd_version) || ':' || upper(trim(d.icd_code)), t.long_title
        FROM {diagnoses} d SEMI JOIN film USING (subject_id)
        LEFT JOIN {titles} t
            ON trim(t.icd_code) = trim(d.icd_code) AND trim(t.icd_version) = trim(d.icd_version)
        ORDER BY 1, CAST(d.seq_num AS INT), 2
        """,
        diagnoses=table(roots.hosp, "diagnoses_icd"),
        titles=table(roots.hosp, "d_icd_diagnoses"),
    )
    return _grouped(rows)


def _emergency_diagnoses(roots: MimicRoots, tables: Tables) -> dict[int, list[Diagnosis]]:
    """Codes of emergency stays; no other use of the emergency tables needs them, so they may be missing."""
    diagnosis = roots.ed and find_table(roots.ed, "diagnosis")
    if diagnosis is None:
        return {}
    rows = tables.query(
        """
        SELECT CAST(stay_id AS BIGINT), trim(icd_version) || ':' || upper(trim(icd_code)), icd_title
        FROM {diagnosis} SEMI JOIN film USING (subject_id) ORDER BY 1, CAST(seq_num AS INT), 2
        """,
        diagnosis=diagnosis,
    )
    return _grouped(rows)


def _grouped(rows: Sequence[tuple[int, str | None, str | None]]) -> dict[int, list[Diagnosis]]:
    grouped: defaultdict[int, list[Diagnosis]] = defaultdict(list)
    for stay, code, title in rows:
        if code is not None and is_icd(code):
            grouped[stay].append((code, clean_line(title or "")))
    return dict(grouped)


def _complaints(roots: MimicRoots, tables: Tables) -> dict[int, str]:
    if roots.ed is None:
        return {}
    rows = tables.query(
        """
        SELECT s.study_id, t.chiefcomplaint
        FROM {triage} t JOIN {edstays} e USING (stay_id) JOIN span s USING (stay_id)
        WHERE CAST(e.intime AS TIMESTAMP) <= s.closes AND t.chiefcomplaint IS NOT NULL ORDER BY 1, 2
        """,
        triage=table(roots.ed, "triage"),
        edstays=table(roots.ed, "edstays"),
    )
    return {study_id: clean_line(complaint) for study_id, complaint in rows}


def _vitals(roots: MimicRoots, tables: Tables) -> dict[int, dict[str, Measurement]]:
    """The latest possible value of each vital sign between the arrival and the film."""
    if roots.ed is None:
        return {}
    columns = ", ".join(f"TRY_CAST({sign.column} AS DOUBLE) AS {sign.column}" for sign in VITALS)
    names = ", ".join(f"v.{sign.column}" for sign in VITALS)
    rows = tables.query(
        f"""
        SELECT s.study_id, {names}
        FROM (
            SELECT stay_id, CAST(charttime AS TIMESTAMP) AS charted, {columns} FROM {{vitalsign}}
            UNION ALL
            SELECT stay_id, CAST(e.intime AS TIMESTAMP) AS charted, {columns}
            FROM {{triage}} JOIN (SELECT stay_id, intime FROM {{edstays}}) e USING (stay_id)
        ) v JOIN span s USING (stay_id)
        WHERE v.charted BETWEEN s.opens AND s.closes
        ORDER BY s.study_id, v.charted, {names}
        """,
        vitalsign=table(roots.ed, "vitalsign"),
        triage=table(roots.ed, "triage"),
        edstays=table(roots.ed, "edstays"),
    )
    latest: defaultdict[int, dict[str, Measurement]] = defaultdict(dict)
    for study_id, *values in rows:
        for sign, value in zip(VITALS, values, strict=True):
            if (measurement := vital(sign, value)) is not None:
                latest[study_id][sign.name] = measurement
    order = [sign.name for sign in VITALS]
    return {study: {name: found[name] for name in order if name in found} for study, found in latest.items()}


def _labs(roots: MimicRoots, tables: Tables) -> dict[int, dict[str, Measurement]]:
    """The latest value of each key laboratory item that had been stored when the film was taken."""
    rows = tables.query(
        f"""
        SELECT s.study_id, CAST(l.itemid AS INT), CAST(l.valuenum AS DOUBLE),
               TRY_CAST(l.ref_range_lower AS DOUBLE), TRY_CAST(l.ref_range_upper AS DOUBLE)
        FROM (
            SELECT * FROM {{labevents}} SEMI JOIN film USING (subject_id)
            WHERE itemid IN ({", ".join(f"'{item}'" for item in LABS)})
              AND TRY_CAST(valuenum AS DOUBLE) IS NOT NULL
        ) l JOIN span s ON l.subject_id = s.subject_id AND (l.hadm_id IS NULL OR l.hadm_id = s.hadm_id)
        WHERE CAST(l.charttime AS TIMESTAMP) BETWEEN s.opens AND s.closes
          AND CAST(l.storetime AS TIMESTAMP) <= s.closes
        QUALIFY row_number() OVER (
            PARTITION BY s.study_id, l.itemid
            ORDER BY CAST(l.charttime AS TIMESTAMP) DESC, CAST(l.storetime AS TIMESTAMP) DESC,
                     CAST(l.labevent_id AS BIGINT) DESC
        ) = 1
        ORDER BY 1, 2
        """,
        labevents=table(roots.hosp, "labevents"),
    )
    found: defaultdict[int, dict[int, Measurement]] = defaultdict(dict)
    for study_id, item, value, low, high in rows:
        found[study_id][item] = Measurement(value, "", judged(value, low, high))
    return {study: {LABS[item]: own[item] for item in LABS if item in own} for study, own in found.items()}
