from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from engine.phantom.draws import stream
from engine.phantom.patient.sampling import sample_patients
from engine.phantom.patient.truth import Finding, PatientTruth, Severity, StudyTruth
from engine.phantom.tables.columns import COLUMNS, PATHS
from engine.phantom.tables.ehr import Numbers, Record, dictionaries, patient_record
from engine.phantom.tables.icd import (
    BOTH_CODES,
    EHR_CODES,
    ICD_9,
    IMAGE_CODES,
    TITLES_10,
    discharge_codes,
    lesion_code,
)
from engine.phantom.tables.labs import draw_panel, draw_vitals
from engine.phantom.tables.stays import stays

_TAKEN = datetime(2150, 3, 1, 14, 30)
_PEOPLE = sample_patients(800, seed=11)


def study(*findings: Finding, conditions: str = "", seed: int = 1) -> StudyTruth:
    return StudyTruth(10000032, 50000001, "d", _TAKEN, "AP", findings, frozenset(conditions.split()), seed)


def seen(
    label: str,
    side: str | None = "right",
    zone: str | None = None,
    detail: str = "",
    mild: bool = False,
    certain: bool = True,
) -> Finding:
    return Finding(label, Severity.MILD if mild else Severity.SEVERE, side, zone, detail, certain)


@pytest.fixture(scope="module")
def records() -> list[tuple[PatientTruth, Record]]:
    numbers = Numbers()
    return [(patient, patient_record(patient, numbers)) for patient in _PEOPLE]


@pytest.mark.parametrize(
    ("truth", "codes"),
    [
        (study(seen("Pleural Effusion")), ["J90"]),
        (study(seen("Pneumothorax")), ["J939"]),
        (study(seen("Atelectasis")), ["J9811"]),
        (study(seen("Lung Lesion", detail="nodule")), ["R911"]),
        (study(seen("Lung Lesion", detail="mass")), ["R918"]),
        (study(seen("Fracture")), ["S2241XA"]),
        (study(seen("Fracture", side="left")), ["S2242XA"]),
        (study(seen("Fracture", mild=True)), ["S2231XA"]),
        (study(seen("Pleural Other")), ["J929"]),
        (study(seen("Support Devices", detail="pacemaker")), ["Z950"]),
        (study(conditions="diabetes kidney_injury"), ["N179", "E119"]),
        (study(seen("Edema", "both"), conditions="heart_failure"), ["I509"]),
        (study(seen("Cardiomegaly", None, certain=False), conditions="heart_failure"), ["I509"]),
        (study(seen("Edema", "both")), ["J810"]),
        (study(seen("Lung Opacity", zone="lower"), conditions="pneumonia"), ["J189"]),
        (study(seen("Consolidation", zone="lower")), ["J690"]),
        (study(seen("Consolidation", zone="upper")), ["R918"]),
        (study(seen("Pneumothorax"), conditions="anemia pneumothorax"), ["J939", "D649"]),
    ],
)
def test_codes_follow_the_truth_in_the_order_of_importance(truth: StudyTruth, codes: list[str]) -> None:
    assert discharge_codes([truth]) == codes


@pytest.mark.parametrize("conditions", ["heart_failure", "pneumonia"])
def test_without_its_picture_a_disease_of_both_is_not_coded(conditions: str) -> None:
    assert not BOTH_CODES & set(discharge_codes([study(conditions=conditions)]))


def test_uncertain_findings_are_not_coded_and_something_always_is() -> None:
    (code,) = discharge_codes([study(seen("Pleural Effusion", certain=False))])
    assert code not in IMAGE_CODES | EHR_CODES | BOTH_CODES


def test_sources_of_the_codes_are_mixed() -> None:
    counts: Counter[str] = Counter()
    for patient in _PEOPLE:
        for stay in stays(patient):
            if stay.admitted and stay.studies:
                codes = discharge_codes(stay.studies)
                assert 1 <= len(codes) <= 6
                for code in codes:
                    counts["image" if code in IMAGE_CODES else "ehr" if code in EHR_CODES else "other"] += 1
    total = sum(counts.values())
    assert 0.33 < counts["image"] / total < 0.50
    assert 0.35 < counts["ehr"] / total < 0.48


def test_every_code_has_a_title(records: list[tuple[PatientTruth, Record]]) -> None:
    known = {(row[0], row[1]) for row in dictionaries()["d_icd_diagnoses"]}
    used = {(row[3], row[4]) for _, record in records for row in record.get("diagnoses_icd", ())}
    assert used <= known
    assert {version for _, version in used} == {9, 10}
    assert set(ICD_9) <= set(TITLES_10)
    assert not any("." in str(code) for code, _ in known)


def test_rows_fit_their_columns(records: list[tuple[PatientTruth, Record]]) -> None:
    tables = {name for _, record in records for name in record}
    assert {"patients", "admissions", "diagnoses_icd", "labevents", "omr", "icustays"} <= tables
    assert {"edstays", "triage", "vitalsign", "diagnosis"} <= tables
    for _, record in records:
        for name, rows in record.items():
            assert {len(row) for row in rows} <= {len(COLUMNS[PATHS[name]])}, name


def test_identifiers_are_unique(records: list[tuple[PatientTruth, Record]]) -> None:
    for table, column in (("admissions", 1), ("edstays", 2), ("labevents", 0)):
        ids = [row[column] for _, record in records for row in record.get(table, ())]
        assert len(set(ids)) == len(ids) > 100, table


def test_stays_do_not_overlap_and_hold_their_films() -> None:
    linked = 0
    for patient in _PEOPLE:
        visits = stays(patient)
        for stay in visits:
            end = stay.discharged or stay.ed_out
            assert end is not None and stay.begin < end
            assert all(stay.begin < film.taken < end for film in stay.studies)
            linked += len(stay.studies)
        for earlier, later in pairwise(visits):
            assert (earlier.discharged or earlier.ed_out or later.begin) < later.begin
    films = sum(len(patient.studies) for patient in _PEOPLE)
    assert 0.93 < linked / films < 1


def test_most_films_are_taken_in_the_emergency_department_before_admission() -> None:
    early = [
        stay.admitted > film.taken
        for patient in _PEOPLE
        for stay in stays(patient)
        if stay.admitted
        for film in stay.studies[:1]
    ]
    assert 0.6 < sum(early) / len(early) < 0.85


def test_about_three_of_ten_patients_have_earlier_admissions() -> None:
    earlier = sum(any(not stay.studies for stay in stays(patient)) for patient in _PEOPLE)
    assert 0.24 < earlier / len(_PEOPLE) < 0.36


def test_results_exist_that_were_drawn_before_the_film_and_stored_after_it(
    records: list[tuple[PatientTruth, Record]],
) -> None:
    before = after = late = 0
    for patient, record in records:
        if len(patient.studies) != 1:
            continue
        taken = patient.studies[0].taken
        for row in record.get("labevents", ()):
            charted, stored = row[6], row[7]
            assert isinstance(charted, datetime) and isinstance(stored, datetime) and charted < stored
            before += stored < taken
            after += charted > taken
            late += charted < taken < stored
    assert before > after > 0 and before > late > 0


def test_age_at_the_film_follows_from_the_anchor(records: list[tuple[PatientTruth, Record]]) -> None:
    for patient, record in records:
        ((_, _, anchor_age, anchor_year, _, _),) = record["patients"]
        assert isinstance(anchor_age, int) and isinstance(anchor_year, int)
        age = anchor_age + patient.studies[0].taken.year - anchor_year
        assert age == patient.age or anchor_age == 91


_SIGNS = [
    ("pneumonia", "White Blood Cells", 1),
    ("pneumonia", "C-Reactive Protein", 1),
    ("heart_failure", "NTproBNP", 1),
    ("kidney_injury", "Creatinine", 1),
    ("kidney_injury", "Urea Nitrogen", 1),
    ("diabetes", "Glucose", 1),
    ("diabetes", "% Hemoglobin A1c", 1),
    ("anemia", "Hemoglobin", -1),
    ("hyponatremia", "Sodium", -1),
    ("hyperkalemia", "Potassium", 1),
]


@pytest.mark.parametrize(("condition", "label", "direction"), _SIGNS)
@pytest.mark.parametrize("sex", ["F", "M"])
def test_a_condition_moves_its_laboratory_value(condition: str, label: str, direction: int, sex: str) -> None:
    for conditions in (condition, ""):
        truth = study(conditions=conditions)
        values = [
            v for n in range(700) for v in draw_panel(truth, sex, stream(n, "t")) if v.item.label == label
        ]
        low, high = values[0].item.reference
        outside = [
            v
            for v in values
            if v.number is not None and (v.number > high if direction > 0 else v.number < low)
        ]
        assert all((v.flag == "abnormal") == (v in outside) for v in values)
        share = len(outside) / len(values)
        assert 0.91 < share < 0.99 if conditions else 0.01 < share < 0.09


def test_raised_peptide_without_heart_signs_may_be_the_kidneys() -> None:
    def raised(truth: StudyTruth) -> float:
        panels = (draw_panel(truth, "F", stream(n, "t")) for n in range(700))
        values = [v for panel in panels for v in panel if v.item.label == "NTproBNP"]
        return sum(v.flag == "abnormal" for v in values) / len(values)

    assert raised(study(conditions="kidney_injury")) > 0.2
    assert raised(study(seen("Edema", "both"), conditions="kidney_injury")) < 0.1


def test_vital_signs_show_fever_and_the_irregular_heart() -> None:
    def shares(conditions: str) -> tuple[float, float, float]:
        vitals = [draw_vitals(study(conditions=conditions), stream(n, "v")) for n in range(600)]
        return (
            sum(v.temperature > 100.4 for v in vitals) / 600,
            sum(v.heartrate > 120 for v in vitals) / 600,
            sum(v.rhythm == "Atrial Fibrillation" for v in vitals) / 600,
        )

    fever, fast, flutter = shares("pneumonia")
    assert fever > 0.9 and fast < 0.1 and flutter == 0
    fever, fast, flutter = shares("atrial_fibrillation")
    assert fever < 0.1 and fast > 0.9 and flutter > 0.9


def test_same_patient_same_record() -> None:
    assert patient_record(_PEOPLE[0], Numbers()) == patient_record(_PEOPLE[0], Numbers())


def test_films_close_together_share_an_admission() -> None:
    first = study(seen("Pneumothorax"))
    second = StudyTruth(10000032, 50000002, "e", _TAKEN + timedelta(hours=8), "AP",
                        (seen("Pleural Effusion"),), frozenset(), 2)  # fmt: skip
    for seed in range(30):
        visits = [
            stay
            for stay in stays(PatientTruth(10000032, "F", 61, "train", (first, second), seed))
            if stay.studies
        ]
        assert [len(stay.studies) for stay in visits] in ([2], [])
    assert discharge_codes([first, second]) == ["J939", "J90"]


def test_a_mass_is_no_nodule() -> None:
    assert lesion_code([seen("Lung Lesion", detail="mass")]) == "R918"
    assert lesion_code([seen("Lung Lesion", detail="nodule")]) == "R911"
