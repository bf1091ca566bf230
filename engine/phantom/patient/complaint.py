"""Why the patient came: one complaint a study, told by the report and by the triage desk alike."""

from engine.phantom.draws import stream
from engine.phantom.patient.truth import StudyTruth

#: The first of these conditions that a study has speaks, mostly.
_COMPLAINTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("pneumothorax", ("sudden chest pain", "shortness of breath", "pleuritic chest pain")),
    ("rib_fracture", ("fall", "chest wall pain after fall", "motor vehicle collision")),
    ("pneumonia", ("fever and cough", "productive cough", "fever")),
    ("heart_failure", ("shortness of breath", "leg swelling", "dyspnea on exertion")),
    ("atrial_fibrillation", ("palpitations", "irregular heartbeat", "palpitations and dizziness")),
    ("effusion", ("shortness of breath", "dyspnea")),
    ("lung_tumour", ("weight loss", "hemoptysis", "chronic cough")),
    ("hyperkalemia", ("weakness", "abnormal labs")),
    ("hyponatremia", ("confusion", "altered mental status")),
    ("kidney_injury", ("decreased urine output", "abnormal labs", "nausea and vomiting")),
    ("diabetes", ("hyperglycemia", "polyuria")),
    ("anemia", ("fatigue", "lightheadedness")),
)
_PLAIN = ("chest pain", "cough", "dizziness", "syncope", "abdominal pain", "preoperative evaluation")


def chief_complaint(study: StudyTruth) -> str:
    """Lower-case text, the same on every call."""
    rng = stream(study.seed, "complaint")
    if rng.random() < 0.12:
        return rng.choice(_PLAIN)
    for condition, phrases in _COMPLAINTS:
        if condition in study.conditions:
            return phrases[0] if rng.random() < 0.6 else rng.choice(phrases[1:])
    return rng.choice(_PLAIN)
