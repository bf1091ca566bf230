"""The electronic health record of a phantom, as rows of the MIMIC-IV and MIMIC-IV-ED tables.

Results stored only after the film, discharge diagnoses and whatever else was not known when the film was read
are there as in the real tables: leaving them out is the reader's duty.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from engine.phantom.draws import stream
from engine.phantom.patient.complaint import chief_complaint
from engine.phantom.patient.rates import CHRONIC
from engine.phantom.patient.truth import PatientTruth, StudyTruth
from engine.phantom.tables.icd import ICD_9, TITLES_10, discharge_codes, earlier_codes, lesion_code
from engine.phantom.tables.labs import ITEMS, Value, Vitals, draw_again, draw_panel, draw_vitals
from engine.phantom.tables.stays import Stay, stays

Row = tuple[object, ...]
Record = dict[str, list[Row]]

_RACES = ("WHITE",) * 6 + ("BLACK/AFRICAN AMERICAN",) * 2 + ("HISPANIC/LATINO", "ASIAN", "UNKNOWN")
_UNIT = "Medical Intensive Care Unit (MICU)"
_OLDEST = 89
#: As in the real tables: emergency stays that do not name their admission, values without a reference range or a unit,
#: values in another unit (creatinine alone, by the factor of its molar mass).
_UNLINKED, _NO_RANGE, _NO_UNIT, _OTHER_UNIT = 0.08, 0.04, 0.04, 0.04
_CREATININE, _MICROMOLES = 50912, 88.42


class Numbers:
    """Identifiers of admissions, stays and specimens: eight digits in no visible order, none twice."""

    def __init__(self) -> None:
        self._used: dict[int, int] = {}

    def next(self, first_digit: int) -> int:
        """The next identifier that begins with this digit."""
        count = self._used.get(first_digit, 0)
        self._used[first_digit] = count + 1
        return first_digit * 10_000_000 + (count * 7_654_321 + 1_234_567) % 10_000_000

    def event(self) -> int:
        """The next labevent_id: 1, 2, …"""
        self._used[0] = self._used.get(0, 0) + 1
        return self._used[0]


def dictionaries() -> Record:
    """The rows of the two dictionary tables."""
    diagnoses: list[Row] = [(code, 10, title) for code, title in TITLES_10.items()]
    diagnoses += [(code, 9, title) for code, title in ICD_9.values()]
    return {
        "d_icd_diagnoses": sorted(diagnoses, key=lambda row: (row[1], row[0])),
        "d_labitems": [(item.itemid, item.label, item.fluid, item.category) for item in ITEMS],
    }


def patient_record(patient: PatientTruth, numbers: Numbers) -> Record:
    """The rows of one patient, keyed by short table name; `numbers` goes on from patient to patient."""
    rng = stream(patient.seed, "record")
    record: Record = {}
    race = rng.choice(_RACES)
    visits = stays(patient)
    died = [stay.discharged for stay in visits if stay.died]
    record["patients"] = [_patient_row(patient, died[0] if died else None, rng)]
    record["omr"] = _outpatient(patient, rng)
    for stay in visits:
        hadm_id = numbers.next(2) if stay.admitted else None
        if hadm_id is not None:
            _add(record, _admission(patient, stay, hadm_id, race, numbers, rng))
        if stay.ed_in is not None:
            _add(record, _emergency(patient, stay, hadm_id, race, numbers, rng))
        for study in stay.studies:
            _add(record, {"labevents": _lab_events(patient, study, stay, hadm_id, numbers)})
    return record


def _add(record: Record, more: Record) -> None:
    for table, rows in more.items():
        record.setdefault(table, []).extend(rows)


def _patient_row(patient: PatientTruth, died: datetime | None, rng: Random) -> Row:
    """`anchor_age` fits the age at the first film; ages above 89 are all 91."""
    back = min(rng.randint(0, 3), patient.age - 18)
    age = patient.age - back
    group = rng.choice(("2008 - 2010", "2011 - 2013", "2014 - 2016", "2017 - 2019", "2020 - 2022"))
    year = patient.studies[0].taken.year - back
    dod = f"{died:%Y-%m-%d}" if died else ""
    return (patient.subject_id, patient.sex, 91 if age > _OLDEST else age, year, group, dod)


def _outpatient(patient: PatientTruth, rng: Random) -> list[Row]:
    """Size, weight and blood pressure of visits before the first film, for some patients."""
    if rng.random() < 0.35:
        return []
    height = rng.randint(59, 67) if patient.sex == "F" else rng.randint(64, 75)
    rows: list[Row] = []
    for days in sorted((rng.randint(5, 700) for _ in range(rng.randint(1, 2))), reverse=True):
        day = f"{patient.studies[0].taken - timedelta(days=days):%Y-%m-%d}"
        bmi = rng.uniform(19, 38)
        weight = bmi * height**2 / 703
        systolic = rng.randint(104, 156)
        results = (
            ("BMI (kg/m2)", f"{bmi:.1f}"),
            ("Blood Pressure", f"{systolic}/{round(systolic * 0.6)}"),
            ("Height (Inches)", str(height)),
            ("Weight (Lbs)", f"{weight:.1f}"),
        )
        rows += [(patient.subject_id, day, 1, name, value) for name, value in results]
    return rows


def _admission(
    patient: PatientTruth, stay: Stay, hadm_id: int, race: str, numbers: Numbers, rng: Random
) -> Record:
    assert stay.admitted is not None and stay.discharged is not None
    subject = patient.subject_id
    urgent = stay.ed_in is not None
    where = rng.choice(("HOME", "HOME", "HOME HEALTH CARE", "SKILLED NURSING FACILITY"))
    row: Row = (
        subject,
        hadm_id,
        stay.admitted,
        stay.discharged,
        stay.discharged if stay.died else "",
        rng.choice(("EW EMER.", "OBSERVATION ADMIT", "URGENT")) if urgent else "ELECTIVE",
        _provider(rng),
        "EMERGENCY ROOM" if urgent else "PHYSICIAN REFERRAL",
        "DIED" if stay.died else where,
        "Medicare" if patient.age >= 65 else rng.choice(("Private", "Medicaid", "Other")),
        "English",
        rng.choice(("MARRIED", "SINGLE", "WIDOWED", "DIVORCED")),
        race,
        stay.ed_in or "",
        stay.ed_out or "",
        int(stay.died),
    )
    record: Record = {"admissions": [row]}
    codes = _coded(patient, stay, rng)
    record["diagnoses_icd"] = [(subject, hadm_id, seq, *code) for seq, code in enumerate(codes, 1)]
    tubes = {finding.detail for study in stay.studies for finding in study.findings}
    if "endotracheal_tube" in tubes:
        left = min(stay.admitted + timedelta(hours=rng.randint(20, 90)), stay.discharged)
        days = round((left - stay.admitted).total_seconds() / 86_400, 6)
        record["icustays"] = [(subject, hadm_id, numbers.next(3), _UNIT, _UNIT, stay.admitted, left, days)]
    return record


def _coded(patient: PatientTruth, stay: Stay, rng: Random) -> list[tuple[str, int]]:
    """Code and version of each diagnosis; half of the earlier admissions were coded in ICD-9."""
    if stay.studies:
        return [(code, 10) for code in discharge_codes(stay.studies)]
    first = patient.studies[0]
    codes = earlier_codes(first.conditions & set(CHRONIC), lesion_code(first.findings))
    if rng.random() < 0.5:
        return [(ICD_9[code][0], 9) for code in codes]
    return [(code, 10) for code in codes]


def _emergency(
    patient: PatientTruth, stay: Stay, hadm_id: int | None, race: str, numbers: Numbers, rng: Random
) -> Record:
    assert stay.ed_in is not None and stay.ed_out is not None
    study = stay.studies[0]
    subject, stay_id = patient.subject_id, numbers.next(3)
    arrival = rng.choice(("AMBULANCE", "WALK IN"))
    disposition = "HOME" if hadm_id is None else "ADMITTED"
    vitals = draw_vitals(study, rng)
    complaint = chief_complaint(study).capitalize()
    record: Record = {
        "edstays": [
            (
                subject,
                ""
                if hadm_id is None or stream(patient.seed, "unlinked", stay_id).random() < _UNLINKED
                else hadm_id,
                stay_id,
                stay.ed_in,
                stay.ed_out,
                patient.sex,
                race,
                arrival,
                disposition,
            )
        ],
        "triage": [
            (subject, stay_id, *_measured(vitals), vitals.pain, rng.choice((2, 2, 3, 3, 3, 4)), complaint)
        ],
        "vitalsign": [],
        "diagnosis": [
            (subject, stay_id, seq, code, 10, TITLES_10[code].upper())
            for seq, code in enumerate(discharge_codes(stay.studies)[:2], 1)
        ],
    }
    charted = stay.ed_in + timedelta(minutes=rng.randint(5, 20))
    while charted < stay.ed_out and len(record["vitalsign"]) < 6:
        vitals = draw_vitals(study, rng)
        row = (subject, stay_id, charted, *_measured(vitals), vitals.rhythm, vitals.pain)
        record["vitalsign"].append(row)
        charted += timedelta(minutes=rng.randint(40, 110))
    return record


def _measured(vitals: Vitals) -> Row:
    return (vitals.temperature, vitals.heartrate, vitals.resprate, vitals.o2sat, vitals.sbp, vitals.dbp)


def _lab_events(
    patient: PatientTruth, study: StudyTruth, stay: Stay, hadm_id: int | None, numbers: Numbers
) -> list[Row]:
    """A panel known before the film, a few values drawn before and stored after it, and a later panel."""
    rng = stream(study.seed, "laboratory")
    drawn = stay.begin + timedelta(minutes=rng.randint(10, 40))
    if study is not stay.studies[0]:
        drawn = study.taken - timedelta(minutes=rng.randint(150, 400))
    panel = draw_panel(study, patient.sex, rng)
    timed = [(value, drawn, _stored(drawn, study.taken, rng)) for value in panel]
    if rng.random() < 0.5:
        again = study.taken - timedelta(minutes=rng.randint(5, 45))
        late = study.taken + timedelta(minutes=rng.randint(15, 90))
        timed += [(draw_again(value, study, rng), again, late) for value in panel if rng.random() < 0.4]
    if stay.discharged is not None and rng.random() < 0.6:
        next_day = study.taken + timedelta(hours=rng.randint(5, 11))
        stored = next_day + timedelta(minutes=rng.randint(40, 120))
        timed += [(draw_again(value, study, rng), next_day, stored) for value in panel if rng.random() < 0.5]
    return _rows(patient.subject_id, stay, hadm_id, timed, numbers, rng)


def _stored(drawn: datetime, taken: datetime, rng: Random) -> datetime:
    """When the result was there: mostly before the film."""
    if rng.random() < 0.05:
        return taken + timedelta(minutes=rng.randint(10, 120))
    return drawn + timedelta(minutes=rng.randint(30, 75))


def _rows(
    subject_id: int,
    stay: Stay,
    hadm_id: int | None,
    timed: Sequence[tuple[Value, datetime, datetime]],
    numbers: Numbers,
    rng: Random,
) -> list[Row]:
    """One specimen for each time and category; what was drawn before the admission often lacks its number."""
    specimens: dict[tuple[datetime, str], int] = {}
    unlinked = rng.random() < 0.4
    provider = _provider(rng)
    rows: list[Row] = []
    for value, drawn, stored in sorted(timed, key=lambda entry: (entry[1], entry[0].item.itemid)):
        item = value.item
        specimen = specimens.get((drawn, item.category))
        if specimen is None:
            specimen = specimens[drawn, item.category] = numbers.next(4)
        before = stay.admitted is None or (drawn < stay.admitted and unlinked)
        event = numbers.event()
        rows.append(
            (
                event,
                subject_id,
                "" if before or hadm_id is None else hadm_id,
                specimen,
                item.itemid,
                provider,
                drawn,
                stored,
                *_written(value, stream(subject_id, "written", event).random()),
                value.flag,
                "STAT" if before else "ROUTINE",
                "",
            )
        )
    return rows


def _written(value: Value, draw: float) -> Row:
    """Text, number, unit and reference range of a result, as complete and in the unit that `draw` (0…1) says."""
    item, number = value.item, "" if value.number is None else value.number
    if draw < _NO_RANGE:
        return (value.text, number, item.unit, "", "")
    if draw < _NO_RANGE + _NO_UNIT:
        return (value.text, number, "", *item.reference)
    if item.itemid == _CREATININE and value.number is not None and draw > 1 - _OTHER_UNIT:
        micromoles = (round(one * _MICROMOLES, 1) for one in (value.number, *item.reference))
        number, low, high = micromoles
        return (str(number), number, "umol/L", low, high)
    return (value.text, number, item.unit, *item.reference)


def _provider(rng: Random) -> str:
    return "P" + "".join(rng.choices("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=5))
