from datetime import datetime, timedelta

import pytest

from engine.data.mimic.encounters import (
    BEFORE,
    COMING,
    EMERGENCY,
    INSIDE,
    NO_STAY,
    OUTSIDE,
    TIMELESS,
    WAITING,
    Admission,
    EmergencyStay,
    Encounter,
    PatientStays,
    encounter_of,
)

NOON = datetime(2180, 5, 6, 12)
HOUR = timedelta(hours=1)
NEVER = timedelta(0)


def admission(hadm_id: int, start: float, end: float, registered: float | None = None) -> Admission:
    seen = None if registered is None else NOON + registered * HOUR
    return Admission(1, hadm_id, NOON + start * HOUR, NOON + end * HOUR, seen)


def stay(stay_id: int, start: float, end: float, hadm_id: int | None = None) -> EmergencyStay:
    return EmergencyStay(1, hadm_id, stay_id, NOON + start * HOUR, NOON + end * HOUR)


def at(
    hours: float, admissions: list[Admission], stays: list[EmergencyStay], soon: timedelta = NEVER
) -> tuple[int | None, int | None, str]:
    found, how = PatientStays(admissions, stays).at(NOON + hours * HOUR, soon)
    return (None, None, how) if found is None else (found.hadm_id, found.stay_id, found.how)


def test_emergency_stay_and_its_admission_are_one() -> None:
    found, _ = PatientStays([admission(10, 4, 90)], [stay(20, 0, 5, hadm_id=10)]).at(NOON + HOUR)
    assert found == Encounter(10, 20, NOON, WAITING)


def test_registration_in_the_emergency_department_counts_as_start() -> None:
    assert at(-1, [admission(10, 4, 90, registered=-2)], []) == (10, None, WAITING)


def test_the_admission_that_holds_the_film_goes_before_all() -> None:
    both = [admission(10, -6, 1, registered=-7), admission(11, 1.1, 90, registered=-7)]
    assert at(0, both, []) == (10, None, INSIDE)
    assert at(1.05, both, []) == (11, None, WAITING)
    assert at(2, both, []) == (11, None, INSIDE)
    assert at(-6.5, both, []) == (10, None, WAITING)  # the nearer of the two
    assert at(0, [admission(10, -50, 5), admission(11, -2, 20)], []) == (11, None, INSIDE)


def test_an_emergency_stay_alone_is_an_encounter_and_an_admission_goes_before_it() -> None:
    assert at(0, [admission(10, 30, 50)], [stay(20, -1, 1)]) == (None, 20, EMERGENCY)
    assert at(0, [admission(10, -50, 5)], [stay(20, -1, 1)]) == (10, 20, INSIDE)


@pytest.mark.parametrize("hadm_id", [None, 99])
def test_an_emergency_stay_without_known_admission_is_linked_by_the_hours(hadm_id: int | None) -> None:
    for seen in (admission(10, 4, 90, registered=0), admission(10, 4, 90)):
        patient = PatientStays([seen], [stay(20, 0, 5, hadm_id)])
        found, _ = patient.at(NOON + HOUR)
        assert found == Encounter(10, 20, NOON, WAITING)
        assert patient.linked_by_time == 1


def test_an_emergency_stay_of_other_hours_is_not_linked() -> None:
    assert at(1, [admission(10, 40, 90, registered=38)], [stay(20, 0, 5)]) == (None, 20, EMERGENCY)


def test_the_emergency_stay_current_at_the_film_is_the_one_that_counts() -> None:
    stays = [stay(20, -30, -25, hadm_id=10), stay(21, -1, 3)]
    assert at(0, [admission(10, -25, 60)], stays) == (10, 21, INSIDE)
    assert at(5, [admission(10, -25, 60)], stays) == (10, 20, INSIDE)


def test_a_film_before_every_stay_belongs_to_none_unless_it_is_allowed() -> None:
    assert at(0, [admission(10, 20, 30)], []) == (None, None, BEFORE)
    assert at(0, [admission(10, 20, 30)], [], timedelta(hours=20)) == (10, None, COMING)
    assert at(0, [admission(10, 20, 30)], [], timedelta(hours=19)) == (None, None, BEFORE)
    assert at(0, [], [stay(20, 3, 5)], timedelta(hours=19)) == (None, 20, COMING)


def test_no_stay_has_its_true_reason() -> None:
    assert at(0, [admission(10, 24.1, 30)], []) == (None, None, OUTSIDE)
    assert at(0, [admission(10, -5, -0.1)], []) == (None, None, OUTSIDE)
    assert at(0, [], []) == (None, None, NO_STAY)


def test_a_film_without_time_of_day_belongs_to_a_stay_only_all_day() -> None:
    day = datetime(2180, 5, 6)
    long = PatientStays([admission(10, -48, 48)], [])
    assert encounter_of(long, day, timed=False, soon=NEVER)[1] == INSIDE
    for patient in (
        PatientStays([admission(10, -48, 2), admission(11, 3, 90)]),
        PatientStays([admission(10, -48, 2)]),
    ):
        assert encounter_of(patient, day, timed=False, soon=NEVER) == (None, TIMELESS)
        assert encounter_of(patient, day, timed=True, soon=NEVER)[1] == INSIDE


def test_an_emergency_stay_whose_hadm_id_is_of_other_years_is_not_believed() -> None:
    patient = PatientStays([admission(10, 4, 90)], [stay(20, -500_000, -499_990, hadm_id=10)])
    assert patient.of_other_hours == 1
    assert patient.at(NOON) == (None, BEFORE)
    assert PatientStays([admission(10, 4, 90, registered=-500_000)]).at(NOON) == (None, BEFORE)
