"""Which hospital stay a film belongs to. MIMIC-CXR does not say; time decides."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

SOON = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Encounter:
    """An admission, an emergency stay, or both as one; hadm_id or stay_id is None for the part that is not.

    start: arrival, in the emergency department if that came first. arrival: the emergency stay's start.
    """

    subject_id: int
    hadm_id: int | None
    stay_id: int | None
    start: datetime
    end: datetime
    arrival: datetime | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    subject_id: int
    hadm_id: int
    admitted: datetime
    discharged: datetime
    registered: datetime | None


@dataclass(frozen=True, slots=True)
class EmergencyStay:
    subject_id: int
    hadm_id: int | None
    stay_id: int
    arrived: datetime
    left: datetime


def encounters(admissions: Iterable[Admission], stays: Iterable[EmergencyStay]) -> dict[int, list[Encounter]]:
    """The encounters of each patient by start; an emergency stay that led to an admission is part of it."""
    by_admission = {
        admission.hadm_id: Encounter(
            admission.subject_id,
            admission.hadm_id,
            None,
            min(admission.admitted, admission.registered or admission.admitted),
            admission.discharged,
        )
        for admission in admissions
    }
    alone = []
    for stay in sorted(stays, key=lambda stay: (stay.arrived, stay.stay_id)):
        joined = by_admission.get(stay.hadm_id) if stay.hadm_id is not None else None
        if joined is None:
            alone.append(
                Encounter(stay.subject_id, None, stay.stay_id, stay.arrived, stay.left, stay.arrived)
            )
        elif joined.stay_id is None:
            by_admission[joined.hadm_id or 0] = replace(
                joined,
                stay_id=stay.stay_id,
                arrival=stay.arrived,
                start=min(joined.start, stay.arrived),
                end=max(joined.end, stay.left),
            )
    result: defaultdict[int, list[Encounter]] = defaultdict(list)
    for encounter in sorted([*by_admission.values(), *alone], key=_order):
        result[encounter.subject_id].append(encounter)
    return result


def encounter_at(candidates: Sequence[Encounter], moment: datetime) -> Encounter | None:
    """The encounter at that moment (admissions first, then the latest), else the next within 24 hours."""
    covering = [e for e in candidates if e.start <= moment <= e.end]
    if covering:
        return max(covering, key=lambda e: (e.hadm_id is not None, *_order(e)))
    soon = [e for e in candidates if moment < e.start <= moment + SOON]
    return min(soon, key=_order, default=None)


def _order(encounter: Encounter) -> tuple[datetime, int, int]:
    return encounter.start, encounter.hadm_id or 0, encounter.stay_id or 0
