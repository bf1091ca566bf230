"""The radiology report of a phantom study, in the form of the MIMIC-CXR report files."""

import textwrap
from dataclasses import dataclass
from random import Random

from engine.phantom.draws import stream
from engine.phantom.patient.complaint import chief_complaint
from engine.phantom.patient.truth import PatientTruth, StudyTruth
from engine.phantom.report.narrative import Narrative, narrate

_WIDTH = 79
_RULE = " " + "_" * 78
_HEADER = " " * 33 + "FINAL REPORT"


@dataclass(frozen=True, slots=True)
class Report:
    """`text` is the whole file; `findings` and `impression` are the unwrapped sections, "" where missing."""

    text: str
    findings: str
    impression: str


def write_report(study: StudyTruth, patient: PatientTruth, previous: StudyTruth | None) -> Report:
    """The report of `study`; `previous` is the patient's film before it, which FINDINGS is compared with."""
    rng = stream(study.seed, "report")
    told = narrate(study)
    findings = told.findings
    if findings and previous is not None:
        findings = " ".join((findings, *_changes(study, previous, rng)))

    sections = _opening(study, patient, previous, rng)
    if findings:
        sections.append(("FINDINGS", findings))
    if told.impression:
        sections.append(("IMPRESSION", told.impression))
    body = "\n \n ".join(_section(name, text, rng) for name, text in sections)
    text = f"{_preface(told, rng)}{_HEADER}\n {body}\n"
    return Report(text=text, findings=findings, impression=told.impression)


def _section(name: str, text: str, rng: Random) -> str:
    """One section without the leading space of its header line, wrapped."""
    if name in ("FINDINGS", "IMPRESSION") and rng.random() < 0.6:
        return f"{name}: \n \n{_wrapped(text)}"
    return _wrapped(f"{name}:  {text}").lstrip()


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=" ", subsequent_indent=" ", break_on_hyphens=False)


def _opening(
    study: StudyTruth, patient: PatientTruth, previous: StudyTruth | None, rng: Random
) -> list[tuple[str, str]]:
    """What stands before FINDINGS. Age and name are protected information and read `___`."""
    portable = study.view == "AP"
    who = {"M": ("man", "M"), "F": ("woman", "F")}[patient.sex]
    complaint = chief_complaint(study)
    reason = rng.choice(
        (
            f"___ year old {who[0]} with {complaint}. Evaluate for acute process.",
            f"___-year-old {who[0]} presenting with {complaint}.",
            f"___{who[1]} with {complaint}  // acute process?",
        )
    )
    technique = rng.choice(
        ("Portable AP view of the chest.", "Single frontal view of the chest.")
        if portable
        else ("Frontal PA view of the chest.", "PA view of the chest.")
    )
    comparison = rng.choice(("None.", "None available."))
    if previous is not None:
        comparison = rng.choice(("Chest radiograph from ___.", "___.", "Prior chest radiograph dated ___."))
    sections = [
        ("EXAMINATION", "CHEST (PORTABLE AP)" if portable else "CHEST (PA)"),
        (rng.choice(("INDICATION", "INDICATION", "INDICATION", "HISTORY")), reason),
        ("TECHNIQUE", technique),
        ("COMPARISON", comparison),
    ]
    if rng.random() < 0.1:  # the terse reports of a busy night
        return [sections[1]]
    return sections


def _preface(told: Narrative, rng: Random) -> str:
    """Sometimes a preliminary read or an addendum, above the report and a full line of underscores."""
    draw_of_kind = rng.random()
    if told.impression and draw_of_kind < 0.05:
        clock = f"{rng.randint(1, 12)}:{rng.randint(0, 59):02d} {rng.choice(('AM', 'PM'))}"
        return f" WET READ: ___ ___ {clock}\n{_wrapped(told.impression)}\n \n{_RULE}\n"
    if draw_of_kind < 0.08:
        notice = (
            "The results were discussed with Dr. ___ by telephone on ___ at the time of discovery of the"
            " findings."
        )
        return f" ADDENDUM:  \n{_wrapped(notice)}\n \n{_RULE}\n"
    return ""


_WORSE = ("Compared with the prior radiograph, the {} has increased.", "The {} is larger than before.")
_BETTER = ("Compared with the prior radiograph, the {} has decreased.", "The {} is smaller than before.")
_SAME = ("The {} is unchanged.", "There is no change of the {} since the prior radiograph.")
_FOLLOWED = {
    "Pleural Effusion": "effusion",
    "Pneumothorax": "pneumothorax",
    "Consolidation": "consolidation",
    "Edema": "edema",
}


def _changes(study: StudyTruth, previous: StudyTruth, rng: Random) -> list[str]:
    """Sentences on findings present on both films, by the truth of both."""
    before = {(f.label, f.side): f.severity for f in previous.findings if f.certain}
    sentences = []
    for finding in study.findings:
        severity = before.get((finding.label, finding.side))
        if severity is None or finding.label not in _FOLLOWED or not finding.certain or rng.random() < 0.5:
            continue
        phrases = _SAME
        if finding.severity != severity:
            phrases = _WORSE if finding.severity > severity else _BETTER
        side = f"{finding.side} " if finding.side in ("left", "right") else ""
        sentences.append(rng.choice(phrases).format(side + _FOLLOWED[finding.label]))
    return sentences
