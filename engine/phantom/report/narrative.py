"""What the report of a study says, before it is set in MIMIC's form: the two sections and what they negate.

The impression is written so that a small model can learn it from the picture: one sentence a finding, always
in the same order, three out of four times in the finding's dominant phrasing.
"""

from dataclasses import dataclass
from random import Random

from engine.phantom.draws import stream
from engine.phantom.patient.truth import Finding, StudyTruth
from engine.phantom.report.phrasing import fill, in_order, pick, sentence
from engine.phantom.report.wording import wording

_DOMINANCE = 0.78
_CLOSING_NEGATIVE = 0.3

#: Phrasings of a normal film, with the labels that each explicitly negates; the first is the dominant one.
_NORMAL: tuple[tuple[str, frozenset[str]], ...] = (
    ("No acute cardiopulmonary process.", frozenset()),
    ("No acute cardiopulmonary abnormality.", frozenset()),
    ("No acute intrathoracic process.", frozenset()),
    ("No evidence of pneumonia.", frozenset({"Pneumonia"})),
    ("Normal chest radiograph.", frozenset()),
    (
        "No focal consolidation, pleural effusion or pneumothorax.",
        frozenset({"Consolidation", "Pleural Effusion", "Pneumothorax"}),
    ),
    ("Clear lungs without pulmonary edema or effusion.", frozenset({"Edema", "Pleural Effusion"})),
    ("No pneumonia and normal heart size.", frozenset({"Pneumonia", "Cardiomegaly"})),
)
_NORMAL_WITH_DEVICE = "No acute cardiopulmonary process."

_CLOSING: tuple[tuple[str, frozenset[str]], ...] = (
    ("No pneumothorax.", frozenset({"Pneumothorax"})),
    ("No pneumothorax.", frozenset({"Pneumothorax"})),
    ("No pneumothorax.", frozenset({"Pneumothorax"})),
    ("No pleural effusion.", frozenset({"Pleural Effusion"})),
    ("No pleural effusion or pneumothorax.", frozenset({"Pleural Effusion", "Pneumothorax"})),
    ("No focal consolidation.", frozenset({"Consolidation"})),
)

#: Regions of the FINDINGS section: their labels, and how each is called when it is not there.
_REGIONS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("Support Devices", ""),),
    (
        ("Consolidation", "focal consolidation"),
        ("Pneumonia", ""),
        ("Lung Opacity", ""),
        ("Lung Lesion", ""),
        ("Atelectasis", ""),
        ("Edema", "pulmonary edema"),
    ),
    (("Pleural Effusion", "pleural effusion"), ("Pneumothorax", "pneumothorax"), ("Pleural Other", "")),
    (("Cardiomegaly", "cardiomegaly"), ("Enlarged Cardiomediastinum", "mediastinal widening")),
    (("Fracture", "displaced rib fracture"),),
)
_NEGATIONS = ("No {}.", "There is no {}.", "No {} is seen.", "There is no evidence of {}.")


@dataclass(frozen=True, slots=True)
class Narrative:
    """The sections, "" where the report leaves one out, and the labels that the labelled section denies.

    The labelled section is the impression, or the findings where there is none, as CheXpert reads reports.
    """

    findings: str
    impression: str
    negated: frozenset[str]


def narrate(study: StudyTruth) -> Narrative:
    """The same for the same study, whoever asks."""
    rng = stream(study.seed, "narrative")
    impression, denied = _impression(study.findings, rng)
    findings, denied_in_findings = _findings(study.findings, rng)
    form = rng.random()
    if form < 0.12:
        return Narrative("", impression, denied)
    if form < 0.16:
        return Narrative(findings, "", denied_in_findings)
    return Narrative(findings, impression, denied)


def _impression(findings: tuple[Finding, ...], rng: Random) -> tuple[str, frozenset[str]]:
    sentences = [_stated(finding, rng) for finding in in_order(findings)]
    mentioned = {finding.label for finding in findings}
    if not sentences:
        return _normal(rng)
    if mentioned == {"Support Devices"}:
        return " ".join((*sentences, _NORMAL_WITH_DEVICE)), frozenset()
    if rng.random() < _CLOSING_NEGATIVE:
        text, denied = rng.choice(_CLOSING)
        if not denied & (mentioned | _implied(mentioned)):
            return " ".join((*sentences, text)), denied
    return " ".join(sentences), frozenset()


def _normal(rng: Random) -> tuple[str, frozenset[str]]:
    if rng.random() < _DOMINANCE:
        return _NORMAL[0]
    return rng.choice(_NORMAL[1:])


def _stated(finding: Finding, rng: Random) -> str:
    words = wording(finding)
    phrases = words.usual if finding.certain else words.doubtful
    return sentence(fill(pick(phrases, rng, _DOMINANCE), finding, words.words))


def _findings(findings: tuple[Finding, ...], rng: Random) -> tuple[str, frozenset[str]]:
    """Region by region: what is there, then what is not."""
    sentences: list[str] = []
    denied: set[str] = set()
    mentioned = {finding.label for finding in findings}
    for region in _REGIONS:
        labels = [label for label, _ in region]
        present = [finding for finding in in_order(findings) if finding.label in labels]
        sentences += [_described(finding, rng) for finding in present]
        absent = [
            (label, name) for label, name in region if name and label not in mentioned | _implied(mentioned)
        ]
        absent = [pair for pair in absent if rng.random() < 0.75]
        if absent:
            sentences.append(rng.choice(_NEGATIONS).format(" or ".join(name for _, name in absent)))
            denied |= {label for label, _ in absent}
    return " ".join(sentences), frozenset(denied)


def _described(finding: Finding, rng: Random) -> str:
    words = wording(finding)
    phrases = words.described if finding.certain else words.doubtful
    return sentence(fill(rng.choice(phrases), finding, words.words))


def _implied(mentioned: set[str]) -> set[str]:
    """Labels that nobody would deny beside those mentioned."""
    implied: set[str] = set()
    if mentioned & {"Pneumonia", "Lung Opacity"}:
        implied |= {"Consolidation", "Pneumonia"}
    if "Cardiomegaly" in mentioned:
        implied.add("Enlarged Cardiomediastinum")
    return implied
