from datetime import datetime, timedelta

from engine.data.mimic.encounters import Admission, EmergencyStay, Encounter, encounter_at, encounters

NOON = datetime(2180, 5, 6, 12)
HOUR = timedelta(hours=1)


def admission(hadm_id: int, start: float, end: float, registered: float | None = None) -> Admission:
    seen = None if registered is None else NOON + registered * HOUR
    return Admission(1, hadm_id, NOON + start * HOUR, NOON + end * HOUR, seen)


def stay(stay_id: int, start: float, end: float, hadm_id: int | None = None) -> EmergencyStay:
    return EmergencyStay(1, hadm_id, stay_id, NOON + start * HOUR, NOON + end * HOUR)


def at(hours: float, admissions: list[Admission], stays: list[EmergencyStay]) -> Encounter | None:
    return encounter_at(encounters(admissions, stays).get(1, []), NOON + hours * HOUR)


def ids(encounter: Encounter | None) -> tuple[int | None, int | None] | None:
    return None if encounter is None else (encounter.hadm_id, encounter.stay_id)


def test_emergency_stay_and_its_admission_are_one() -> None:
    found = at(1, [admission(10, 4, 90)], [stay(20, 0, 5, hadm_id=10)])
    assert found == Encounter(1, 10, 20, NOON, NOON + 90 * HOUR, NOON)


def test_registration_in_the_emergency_department_counts_as_start() -> None:
    assert ids(at(-1, [admission(10, 4, 90, registered=-2)], [])) == (10, None)


def test_covering_goes_before_coming_and_admission_before_emergency() -> None:
    admissions = [admission(10, -50, 5), admission(11, 6, 20)]
    assert ids(at(0, admissions, [stay(20, -1, 1)])) == (10, None)
    assert ids(at(5.5, admissions, [stay(20, 5.2, 5.8)])) == (None, 20)
    assert ids(at(5.1, admissions, [stay(20, 5.2, 5.8)])) == (None, 20)
    assert ids(at(5.9, admissions, [])) == (11, None)


def test_only_the_next_24_hours_count() -> None:
    assert ids(at(0, [admission(10, 24, 30)], [])) == (10, None)
    assert at(0, [admission(10, 24.1, 30)], []) is None
    assert at(0, [admission(10, -5, -0.1)], []) is None
    assert at(0, [], []) is None
