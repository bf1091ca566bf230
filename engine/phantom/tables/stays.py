"""When a phantom came and went: the emergency stays and admissions around its films."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from engine.phantom.draws import stream
from engine.phantom.patient.truth import PatientTruth, StudyTruth

#: Films closer together than this belong to one stay.
_ONE_STAY = timedelta(hours=40)


@dataclass(frozen=True, slots=True)
class Stay:
    """One visit: an emergency stay, an admission or both. Times of the part that did not happen are None.

    `studies` is empty for the admissions before the first film.
    """

    studies: tuple[StudyTruth, ...]
    ed_in: datetime | None
    ed_out: datetime | None
    admitted: datetime | None
    discharged: datetime | None
    died: bool = False

    @property
    def begin(self) -> datetime:
        """When the patient came through the door."""
        begin = self.ed_in or self.admitted
        assert begin is not None
        return begin


def stays(patient: PatientTruth) -> list[Stay]:
    """The stays of a patient in the order of time; a film of an outpatient has none."""
    rng = stream(patient.seed, "stays")
    groups = _together(patient.studies)
    found = _earlier(patient.studies[0], rng)
    for number, group in enumerate(groups):
        following = groups[number + 1][0].taken if number + 1 < len(groups) else None
        stay = _around(group, following, rng)
        if stay is not None:
            found.append(stay)
    return found


def _together(studies: Sequence[StudyTruth]) -> list[tuple[StudyTruth, ...]]:
    groups: list[tuple[StudyTruth, ...]] = []
    for study in studies:
        if groups and study.taken - groups[-1][-1].taken < _ONE_STAY:
            groups[-1] = (*groups[-1], study)
        else:
            groups.append((study,))
    return groups


def _around(studies: tuple[StudyTruth, ...], following: datetime | None, rng: Random) -> Stay | None:
    """Most films are taken in the emergency department, shortly before the patient is admitted."""
    first, last = studies[0].taken, studies[-1].taken
    draw = rng.random()
    if draw < 0.025:
        return None
    came = first - _minutes(rng, 150, 330)
    if draw < 0.05 and len(studies) == 1:
        return Stay(studies, came, last + _minutes(rng, 60, 300), None, None)
    if draw < 0.11:  # elective: no emergency stay
        return Stay(studies, None, None, came, _leaves(came, last, following, rng))
    admitted = first - _minutes(rng, 10, 60) if draw < 0.3 else first + _minutes(rng, 15, 200)
    discharged = _leaves(admitted, last, following, rng)
    moved = min(admitted + _minutes(rng, 20, 150), discharged)
    died = rng.random() < 0.03 and following is None
    return Stay(studies, came, moved, admitted, discharged, died)


def _leaves(admitted: datetime, last: datetime, following: datetime | None, rng: Random) -> datetime:
    leaves = max(admitted, last) + _minutes(rng, 20 * 60, 7 * 24 * 60)
    return leaves if following is None else min(leaves, following - timedelta(hours=12))


def _earlier(first: StudyTruth, rng: Random) -> list[Stay]:
    """Admissions of the years before the first film, for about three patients of ten."""
    if rng.random() >= 0.3:
        return []
    found: list[Stay] = []
    for _ in range(rng.choice((1, 1, 2))):
        admitted = first.taken - timedelta(days=rng.randint(60, 1500), minutes=rng.randint(0, 1439))
        discharged = admitted + _minutes(rng, 24 * 60, 8 * 24 * 60)
        if all(discharged < stay.begin or (stay.discharged or stay.begin) < admitted for stay in found):
            found.append(Stay((), None, None, admitted, discharged))
    return sorted(found, key=lambda stay: stay.begin)


def _minutes(rng: Random, low: int, high: int) -> timedelta:
    return timedelta(minutes=rng.randint(low, high), seconds=rng.randint(0, 59))
