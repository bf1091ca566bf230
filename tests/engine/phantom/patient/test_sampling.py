"""Phantom patients: reproducible, independent of how many are asked for, and as sick as intended."""

from collections import Counter

import pytest

from engine.data.labels import LABELS
from engine.phantom.patient.rates import Rates
from engine.phantom.patient.sampling import sample_patients, split_of
from engine.phantom.patient.truth import CONDITIONS, PatientTruth, StudyTruth

WANTED = {
    "Atelectasis": 22,
    "Cardiomegaly": 20,
    "Consolidation": 10,
    "Edema": 14,
    "Enlarged Cardiomediastinum": 8,
    "Fracture": 8,
    "Lung Lesion": 10,
    "Lung Opacity": 15,
    "No Finding": 27,
    "Pleural Effusion": 25,
    "Pleural Other": 7,
    "Pneumonia": 12,
    "Pneumothorax": 9,
    "Support Devices": 25,
}


@pytest.fixture(scope="module")
def patients() -> list[PatientTruth]:
    return sample_patients(2000, seed=5)


@pytest.fixture(scope="module")
def studies(patients: list[PatientTruth]) -> list[StudyTruth]:
    return [study for patient in patients for study in patient.studies]


def test_the_same_seed_gives_the_same_patients_whatever_the_count(patients: list[PatientTruth]) -> None:
    assert sample_patients(30, seed=5) == patients[:30]
    assert sample_patients(30, seed=6) != patients[:30]


def test_identifiers_are_unique_and_look_like_mimic(
    patients: list[PatientTruth], studies: list[StudyTruth]
) -> None:
    assert len({p.subject_id for p in patients}) == len(patients)
    assert len({s.study_id for s in studies}) == len({s.dicom_id for s in studies}) == len(studies)
    assert all(10_000_000 <= p.subject_id < 20_000_000 for p in patients)
    assert all(50_000_000 <= s.study_id < 60_000_000 for s in studies)
    assert all([len(part) for part in s.dicom_id.split("-")] == [8] * 5 for s in studies)


def test_studies_belong_to_their_patient_in_order_of_time_but_not_of_id(patients: list[PatientTruth]) -> None:
    followed = [p for p in patients if len(p.studies) > 1]
    assert 1.15 < sum(len(p.studies) for p in patients) / len(patients) < 1.35
    for patient in followed:
        assert {s.subject_id for s in patient.studies} == {patient.subject_id}
        assert [s.taken for s in patient.studies] == sorted(s.taken for s in patient.studies)
    falling = sum(p.studies[0].study_id > p.studies[1].study_id for p in followed)
    assert 0.2 < falling / len(followed) < 0.8


def test_every_block_of_patients_fills_the_splits(patients: list[PatientTruth]) -> None:
    assert Counter(p.split for p in patients) == {"train": 1600, "validate": 240, "test": 160}
    assert Counter(p.split for p in patients[:25]) == {"train": 20, "validate": 3, "test": 2}
    assert [split_of(5, index) for index in range(25)] == [p.split for p in patients[:25]]
    assert len({tuple(p.split for p in patients[start : start + 25]) for start in range(0, 500, 25)}) > 10


def test_labels_are_about_as_frequent_as_wanted(studies: list[StudyTruth]) -> None:
    seen = Counter(label for study in studies for label in {f.label for f in study.findings})
    seen["No Finding"] = sum(all(f.label == "Support Devices" for f in s.findings) for s in studies)
    assert set(seen) == set(LABELS)
    for label, percent in WANTED.items():
        assert percent * 0.7 - 1 < 100 * seen[label] / len(studies) < percent * 1.3 + 1, label


def test_every_disease_occurs_and_none_is_certain_from_the_picture(studies: list[StudyTruth]) -> None:
    count = Counter(name for study in studies for name in study.conditions)
    assert set(count) == set(CONDITIONS)
    assert all(
        0.10 < count[name] / len(studies) < 0.32 for name in ("heart_failure", "pneumonia", "diabetes")
    )
    big_hearts = [s for s in studies if any(f.label == "Cardiomegaly" for f in s.findings)]
    assert 0.6 < sum("heart_failure" in s.conditions for s in big_hearts) / len(big_hearts) < 0.9


def test_uncertain_findings_never_stand_alone(studies: list[StudyTruth]) -> None:
    hedged = total = 0
    for study in studies:
        findings = [f for f in study.findings if f.label != "Support Devices"]
        total += len(findings)
        hedged += sum(not f.certain for f in findings)
        assert not findings or any(f.certain for f in findings)
    assert 0.05 < hedged / total < 0.11


def test_sicker_patients_are_filmed_in_bed(studies: list[StudyTruth]) -> None:
    sick = [s.view == "AP" for s in studies if len(s.findings) >= 3]
    well = [s.view == "AP" for s in studies if not s.findings]
    assert 0.15 < sum(well) / len(well) < sum(sick) / len(sick) < 0.95


def test_rates_can_be_changed() -> None:
    everybody_well = sample_patients(50, seed=1, rates=Rates(healthy=1.0, everybody={}))
    assert all(f.label == "Support Devices" for p in everybody_well for s in p.studies for f in s.findings)


def test_too_many_patients_are_refused() -> None:
    with pytest.raises(ValueError, match="count must lie between"):
        sample_patients(4_000_000, seed=1)
