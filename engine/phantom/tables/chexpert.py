"""The CheXpert labels of a phantom study, in agreement with its report."""

from engine.data.labels import LABELS
from engine.phantom.patient.truth import StudyTruth
from engine.phantom.report.narrative import narrate


def chexpert_labels(study: StudyTruth) -> dict[str, int | None]:
    """1 certain, -1 uncertain, 0 denied by the section that CheXpert reads, None unmentioned.

    "No Finding" is 1 where nothing but devices is certain or uncertain, else None.
    """
    labels: dict[str, int | None] = dict.fromkeys(LABELS)
    for label in narrate(study).negated:
        labels[label] = 0
    for finding in study.findings:
        labels[finding.label] = 1 if finding.certain or labels[finding.label] == 1 else -1
    if all(finding.label == "Support Devices" for finding in study.findings):
        labels["No Finding"] = 1
    return labels
