"""Which hospital stay a film belongs to. MIMIC-CXR does not say; time decides.

An admission that holds the film goes before everything else; then the emergency department in which the patient waited
for one; then an emergency stay that led to none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

#: A film so long before a stay is told apart from one that no stay is near to.
NEAR = timedelta(hours=24)

# Longer than anybody waits for a bed: the two are not of one visit.
_LONGEST_WAIT = timedelta(days=3)

INSIDE = "inside an admission"
WAITING = "in the emergency department before an admission"
EMERGENCY = "in an emergency stay without admission"
COMING = "before a stay, within the hours that were allowed"
NO_STAY = "the patient has no stay in the tables"
BEFORE = "before a stay that begins within 24 hours"
OUTSIDE = "outside every stay"
TIMELESS = "no time of day, and not the same stay all day"


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


@dataclass(frozen=True, slots=True)
class Encounter:
    """The stay that a film belongs to. how: by which rule.

    hadm_id: None for an emergency stay alone. stay_id: the emergency stay whose complaint and vital signs are known at
    the film; None without one. start: arrival, in the emergency department if that came first.
    """

    hadm_id: int | None
    stay_id: int | None
    start: datetime
    how: str


class PatientStays:
    """All stays of one patient. linked_by_time counts emergency stays whose admission was found by the hours,
    of_other_hours those whose hadm_id names an admission of quite other hours."""

    def __init__(self, admissions: Sequence[Admission] = (), stays: Sequence[EmergencyStay] = ()) -> None:
        self.admissions = sorted(admissions, key=lambda a: (a.admitted, a.hadm_id))
        self.stays = sorted(stays, key=lambda s: (s.arrived, s.stay_id))
        known = {admission.hadm_id: admission for admission in admissions}
        self._admission_of: dict[int, int | None] = {}
        self.linked_by_time = self.of_other_hours = 0
        for stay in self.stays:
            told = known.get(stay.hadm_id) if stay.hadm_id is not None else None
            if told is not None and not _agrees(stay, told):
                self.of_other_hours += 1
                told = None
            hadm_id = told.hadm_id if told is not None else self._by_time(stay)
            self.linked_by_time += hadm_id is not None and told is None
            self._admission_of[stay.stay_id] = hadm_id

    def at(self, moment: datetime, soon: timedelta = timedelta(0)) -> tuple[Encounter | None, str]:
        """The encounter at that moment, and how it was found or why there is none.

        soon: how long before a stay a film may be taken and still belong to it.
        """
        if not self.admissions and not self.stays:
            return None, NO_STAY
        inside = [a for a in self.admissions if a.admitted <= moment <= a.discharged]
        if inside:
            return self._admitted(inside[-1], moment, INSIDE), INSIDE
        waiting = [a for a in self.admissions if self._arrival(a) <= moment < a.admitted]
        if waiting:
            return self._admitted(waiting[0], moment, WAITING), WAITING
        current = self._current(moment)
        if current is not None:
            return Encounter(None, current.stay_id, current.arrived, EMERGENCY), EMERGENCY
        coming = self._next(moment)
        if coming is None or coming.start > moment + max(NEAR, soon):
            return None, OUTSIDE
        return (coming, COMING) if coming.start <= moment + soon else (None, BEFORE)

    def _admitted(self, admission: Admission, moment: datetime, how: str) -> Encounter:
        current = self._current(moment)
        own = [stay for stay in self._of(admission) if stay.arrived <= moment]
        stay = current or (own[-1] if own else None)
        return Encounter(admission.hadm_id, stay.stay_id if stay else None, self._arrival(admission), how)

    def _arrival(self, admission: Admission) -> datetime:
        times = [admission.admitted, *(stay.arrived for stay in self._of(admission))]
        registered = _registered(admission)
        return min([*times, registered] if registered else times)

    def _of(self, admission: Admission) -> list[EmergencyStay]:
        return [stay for stay in self.stays if self._admission_of[stay.stay_id] == admission.hadm_id]

    def _current(self, moment: datetime) -> EmergencyStay | None:
        return next((stay for stay in reversed(self.stays) if stay.arrived <= moment <= stay.left), None)

    def _next(self, moment: datetime) -> Encounter | None:
        coming = [Encounter(a.hadm_id, None, self._arrival(a), COMING) for a in self.admissions]
        coming += [
            Encounter(None, s.stay_id, s.arrived, COMING)
            for s in self.stays
            if self._admission_of[s.stay_id] is None
        ]
        return min(
            (e for e in coming if e.start > moment), key=lambda e: (e.start, e.hadm_id or 0), default=None
        )

    def _by_time(self, stay: EmergencyStay) -> int | None:
        """The admission whose hours in the emergency department, or whose beginning, lie in the stay."""
        fitting = [
            admission
            for admission in self.admissions
            if stay.arrived <= admission.admitted
            and stay.left >= (_registered(admission) or admission.admitted)
            and stay.arrived >= (_registered(admission) or stay.arrived) - NEAR
        ]
        return fitting[0].hadm_id if fitting else None


def _registered(admission: Admission) -> datetime | None:
    """When the patient was registered in the emergency department; None where it cannot be this admission's."""
    registered = admission.registered
    return registered if registered and admission.admitted - registered <= _LONGEST_WAIT else None


def _agrees(stay: EmergencyStay, admission: Admission) -> bool:
    """Whether the admission may have come out of the emergency stay."""
    return stay.arrived <= admission.discharged and admission.admitted - stay.left <= _LONGEST_WAIT


def encounter_of(
    stays: PatientStays, taken: datetime, timed: bool, soon: timedelta
) -> tuple[Encounter | None, str]:
    """As `PatientStays.at`; a film without a time of day belongs to a stay only if it does so all day."""
    found, how = stays.at(taken, soon)
    if timed:
        return found, how
    late, _ = stays.at(taken + timedelta(hours=24, seconds=-1), soon)
    same = found is not None and late is not None and found.hadm_id == late.hadm_id
    return (found, how) if found == late or same else (None, TIMELESS)
