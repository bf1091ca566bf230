"""Phantom patients: who they are, what they have, and what each of their films shows.

Everything is a pure function of (seed, patient index): patient 17 is the same person whether ten or ten
thousand are sampled, and whichever worker does it.
"""

import random
from datetime import datetime, timedelta

from engine.phantom.draws import stream
from engine.phantom.patient.findings import draw_findings
from engine.phantom.patient.rates import CHRONIC, Rates
from engine.phantom.patient.truth import Finding, PatientTruth, StudyTruth
from engine.seeds import seed_for

#: Patients are split in blocks, so that even a few dozen of them fill all three splits in the right shares.
_BLOCK = ("train",) * 20 + ("validate",) * 3 + ("test",) * 2
_IDS = 10_000_000
_MOST_STUDIES = 3
_EPOCH = datetime(2110, 1, 1)


def sample_patients(count: int, seed: int, *, rates: Rates | None = None) -> list[PatientTruth]:
    """The first `count` patients of the world called `seed`.

    Raises ValueError for a count that is negative or so large that the ids could not stay unique.
    """
    if not 0 <= count <= _IDS // _MOST_STUDIES:
        raise ValueError(f"count must lie between 0 and {_IDS // _MOST_STUDIES}, got {count}")
    used = rates or Rates()
    return [_patient(seed, index, used) for index in range(count)]


def split_of(seed: int, index: int) -> str:
    """The split of patient `index`: "train" 80 %, "validate" 12 %, "test" 8 % of every block of 25."""
    block = list(_BLOCK)
    stream(seed, "split", index // len(block)).shuffle(block)
    return block[index % len(block)]


def _patient(seed: int, index: int, rates: Rates) -> PatientTruth:
    rng = stream(seed, "patient", index)
    subject_id = 10_000_000 + _scattered(seed, "subject", index)
    chronic_draw = {name: rng.random() for name in CHRONIC}
    sex = rng.choice("MF")
    age = _age(rng, old=chronic_draw["heart_failure"] < 0.35 or chronic_draw["paced_heart"] < 0.12)
    times = _study_times(rng, rng.choices((1, 2, 3), weights=(0.80, 0.15, 0.05))[0])
    states = _condition_draws(seed, index, len(times), chronic_draw)
    studies = tuple(
        _study(seed, index, number, subject_id, taken, states[number], rates)
        for number, taken in enumerate(times)
    )
    return PatientTruth(
        subject_id=subject_id,
        sex=sex,
        age=age,
        split=split_of(seed, index),
        studies=studies,
        seed=seed_for(seed, "body", index),
    )


def _study(
    seed: int,
    index: int,
    number: int,
    subject_id: int,
    taken: datetime,
    draws: dict[str, float],
    rates: Rates,
) -> StudyTruth:
    rng = stream(seed, "study", index, number)
    conditions = _conditions(draws, rates)
    sick = draws["healthy"] >= rates.healthy
    findings, conditions = draw_findings(rng, stream(seed, "places", index), conditions, sick, rates)
    return StudyTruth(
        subject_id=subject_id,
        study_id=50_000_000 + _scattered(seed, "study", index * _MOST_STUDIES + number),
        dicom_id="-".join(f"{rng.getrandbits(32):08x}" for _ in range(5)),
        taken=taken,
        view=_view(rng, findings),
        findings=findings,
        conditions=conditions,
        seed=seed_for(seed, "film", index, number),
    )


def _condition_draws(seed: int, index: int, count: int, chronic: dict[str, float]) -> list[dict[str, float]]:
    """A uniform number for every disease and study.

    Chronic ones keep theirs; acute ones keep it to the next study more often than not, so that follow-up
    films of one patient look related and every study alone still has the rates asked for.
    """
    names = (*Rates().sick, *Rates().everybody, "healthy")
    states: list[dict[str, float]] = []
    for number in range(count):
        rng = stream(seed, "conditions", index, number)
        fresh = {name: (rng.random(), rng.random()) for name in names}
        state: dict[str, float] = {}
        for name, (value, stay) in fresh.items():
            kept = number > 0 and (name == "healthy" or stay < 0.6)
            state[name] = chronic[name] if name in chronic else states[-1][name] if kept else value
        states.append(state)
    return states


def _conditions(draws: dict[str, float], rates: Rates) -> frozenset[str]:
    sick = draws["healthy"] >= rates.healthy
    found = {name for name, rate in rates.sick.items() if sick and draws[name] < rate}
    raised = {
        "atrial_fibrillation": 2.0 if "heart_failure" in found else 1.0,
        "kidney_injury": 1.6 if "heart_failure" in found else 1.0,
        "hyponatremia": 1.5 if "heart_failure" in found else 1.0,
        "paced_heart": 2.2 if "heart_failure" in found else 1.0,
    }
    for name, rate in rates.everybody.items():
        factor = raised.get(name, 1.0)
        if name == "hyperkalemia" and "kidney_injury" in found:
            factor = 2.5
        if draws[name] < rate * factor:
            found.add(name)
    return frozenset(found)


def _view(rng: random.Random, findings: tuple[Finding, ...]) -> str:
    """Sicker patients are filmed lying in bed: AP."""
    if any(f.detail == "endotracheal_tube" for f in findings):
        return "AP"
    load = sum(int(f.severity) for f in findings if f.label != "Support Devices")
    return "AP" if rng.random() < min(0.85, 0.28 + 0.07 * load) else "PA"


def _age(rng: random.Random, old: bool) -> int:
    age = rng.gauss(72, 10) if old else rng.gauss(56, 18)
    return round(min(91.0, max(18.0, age)))


def _study_times(rng: random.Random, count: int) -> list[datetime]:
    taken = _EPOCH + timedelta(days=rng.randrange(80 * 365), seconds=rng.randrange(86_400))
    times = [taken]
    while len(times) < count:
        taken += timedelta(days=round(min(900.0, 1 + rng.expovariate(1 / 90))))
        times.append(taken.replace(hour=0, minute=0, second=0) + timedelta(seconds=rng.randrange(86_400)))
    return times


def _scattered(seed: int, name: str, number: int) -> int:
    """A one-to-one map of 0 … 9,999,999 onto itself without visible order."""
    rng = stream(seed, "ids", name)
    factor = rng.randrange(_IDS // 4, _IDS) * 10 + rng.choice((1, 3, 7, 9))  # coprime to a power of ten
    return (number * factor + rng.randrange(_IDS)) % _IDS
