import re
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from engine.data.labels import LABELS
from engine.phantom.patient.truth import Finding, PatientTruth, Severity, StudyTruth
from engine.phantom.report.phrasing import IMPORTANCE
from engine.phantom.report.radiology_report import Report, write_report
from engine.phantom.tables.chexpert import chexpert_labels

_TAKEN = datetime(2150, 3, 1, 4, 30)
_EFFUSION = Finding("Pleural Effusion", Severity.MODERATE, "left")
_DEVICES = ("pacemaker", "picc", "central_line", "endotracheal_tube", "enteric_tube", "chest_tube")
_EVERY_FINDING = [
    Finding(label, severity, side, zone, detail, certain)
    for label in IMPORTANCE
    if label != "Support Devices"
    for detail in (("nodule", "mass") if label == "Lung Lesion" else ("",))
    for side in (
        (None,) if label in ("Cardiomegaly", "Enlarged Cardiomediastinum") else ("left", "right", "both")
    )
    for zone in (None, "upper", "mid", "lower")
    for severity in Severity
    for certain in (True, False)
] + [
    Finding("Support Devices", Severity.MODERATE, side, None, d)
    for d in _DEVICES
    for side in ("left", "right")
]

#: Words by which a reader of a report knows that a label is spoken of.
_MENTIONS = {
    "Atelectasis": r"atelecta|collapse",
    "Cardiomegaly": r"cardiomegaly|heart|cardiac",
    "Consolidation": r"consolidat",
    "Edema": r"edema|congestion",
    "Enlarged Cardiomediastinum": r"mediastin",
    "Fracture": r"fracture",
    "Lung Lesion": r"nodul|mass",
    "Lung Opacity": r"opaci|infiltrat",
    "Pleural Effusion": r"effusion|pleural fluid",
    "Pleural Other": r"thicken",
    "Pneumonia": r"pneumonia|infect",
    "Pneumothorax": r"pneumothora",
    "Support Devices": r"pacemaker|PICC|catheter|tube",
}
_DOUBT = r"possible|may|cannot be excluded|suspected|questionable|apparent"


def study(*findings: Finding, seed: int = 1, view: str = "AP") -> StudyTruth:
    return StudyTruth(10000032, 50414267, "d", _TAKEN, view, findings, frozenset(), seed)


def patient(*studies: StudyTruth) -> PatientTruth:
    return PatientTruth(10000032, "F", 61, "train", studies, seed=5)


def report(truth: StudyTruth, previous: StudyTruth | None = None) -> Report:
    return write_report(truth, patient(truth), previous)


def sections(text: str) -> dict[str, str]:
    """The sections as the section parser of MIMIC-CXR finds them, unwrapped."""
    parts = re.split(r"\n ([A-Z ()/,-]+):\s", text)
    return {name: " ".join(body.split()) for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def mentioned(text: str) -> set[str]:
    return {label for label, pattern in _MENTIONS.items() if re.search(pattern, text, re.IGNORECASE)}


def test_the_official_section_rule_finds_the_sections_as_written() -> None:
    for seed in range(300):
        written = report(study(_EFFUSION, seed=seed))
        found = sections(written.text)
        assert found.get("FINDINGS", "") == written.findings
        assert found.get("IMPRESSION", "") == written.impression
        assert written.findings or written.impression


def test_the_file_has_the_form_of_the_real_ones() -> None:
    for seed in range(300):
        lines = report(study(*_EVERY_FINDING[:9], seed=seed)).text.split("\n")
        assert all(len(line) <= 79 for line in lines)
        assert all(line.startswith(" ") for line in lines[:-1])
        assert [line.strip() for line in lines].count("FINAL REPORT") == 1
        assert lines[-1] == ""


def test_age_and_dates_are_blanked() -> None:
    first = study(_EFFUSION, seed=3)
    later = replace(first, seed=4, taken=_TAKEN + timedelta(days=9))
    text = report(later, first).text
    assert "___" in text
    assert "61" not in text and "2150" not in text


def test_same_study_same_report() -> None:
    assert report(study(_EFFUSION, seed=8)) == report(study(_EFFUSION, seed=8))


@pytest.mark.parametrize("label", IMPORTANCE)
def test_a_finding_is_told_as_it_is_and_no_other(label: str) -> None:
    for seed, finding in enumerate([f for f in _EVERY_FINDING if f.label == label] * 3):
        written = report(study(finding, seed=seed))
        told = f"{written.findings} {written.impression}".strip()
        assert not re.search(r"[{}|]|  | [.,]", told), told
        text = re.sub(r"\bNo\b[^.]*\.|There is no [^.]*\.", "", told)
        assert mentioned(text) == {finding.label}, text
        if not finding.certain:
            assert re.search(_DOUBT, text, re.IGNORECASE), text
        for side in {"left", "right"} - {finding.side}:
            assert not re.search(rf"\b{side}\b", text), text


@pytest.mark.parametrize("side", ["left", "right", "both"])
def test_every_phrasing_of_the_impression_names_the_side(side: str) -> None:
    word = {"both": r"both|bilateral"}.get(side, side)
    for seed in range(200):
        impression = report(study(replace(_EFFUSION, side=side), seed=seed)).impression
        assert not impression or re.search(word, impression), impression


def test_one_phrasing_dominates_and_others_exist() -> None:
    impressions = [report(study(_EFFUSION, seed=seed)).impression for seed in range(1500)]
    first = Counter(text.split(".")[0] for text in impressions if text).most_common()
    assert first[0][0] == "Moderate left pleural effusion obscuring the hemidiaphragm"
    assert 0.73 < first[0][1] / sum(count for _, count in first) < 0.83
    assert len(first) >= 4


def test_a_normal_film_has_a_dominant_short_impression() -> None:
    impressions = [text for seed in range(1500) if (text := report(study(seed=seed)).impression)]
    counts = Counter(impressions).most_common()
    assert counts[0][0] == "No acute cardiopulmonary process."
    assert 0.73 < counts[0][1] / len(impressions) < 0.83
    assert len(counts) >= 6


def test_closing_negatives_are_the_minority() -> None:
    impressions = [text for seed in range(1000) if (text := report(study(_EFFUSION, seed=seed)).impression)]
    closed = sum(" No " in text for text in impressions)
    assert 0.15 < closed / len(impressions) < 0.35


def test_importance_orders_the_impression() -> None:
    findings = (
        Finding("Cardiomegaly", Severity.MILD),
        _EFFUSION,
        Finding("Pneumothorax", Severity.MILD, "right"),
    )
    for seed in range(50):
        impression = report(study(*findings, seed=seed)).impression
        if impression:
            places = [re.search(_MENTIONS[label], impression, re.IGNORECASE) for label in
                      ("Pneumothorax", "Pleural Effusion", "Cardiomegaly")]  # fmt: skip
            starts = [place.start() for place in places if place]
            assert len(starts) == 3 and starts == sorted(starts)


def test_labels_agree_with_the_section_they_are_read_from() -> None:
    films = [(), (_EFFUSION,), (Finding("Edema", Severity.MILD, "both", certain=False), _EFFUSION)]
    for findings in films:
        for seed in range(400):
            truth = study(*findings, seed=seed)
            written = report(truth)
            labels = chexpert_labels(truth)
            read = written.impression or written.findings
            denied = mentioned(" ".join(re.findall(r"(?:\bNo\b|\bno\b|\bwithout\b|normal)[^.]*\.", read)))
            assert {label for label, value in labels.items() if value == 0} == denied, read
            assert tuple(labels) == LABELS
            assert labels["No Finding"] == (1 if not findings else None)
            for finding in findings:
                assert labels[finding.label] == (1 if finding.certain else -1)


def test_a_certain_finding_outweighs_an_uncertain_one_of_the_same_label() -> None:
    doubtful = replace(_EFFUSION, side="right", certain=False)
    assert chexpert_labels(study(doubtful, _EFFUSION))["Pleural Effusion"] == 1
    assert chexpert_labels(study(_EFFUSION, doubtful))["Pleural Effusion"] == 1


def test_devices_alone_are_no_finding() -> None:
    labels = chexpert_labels(study(Finding("Support Devices", Severity.MODERATE, "left", None, "pacemaker")))
    assert labels["No Finding"] == 1 and labels["Support Devices"] == 1


def test_change_is_told_by_the_truth_of_both_films() -> None:
    before = study(replace(_EFFUSION, severity=Severity.SEVERE), seed=2)
    told = [report(study(_EFFUSION, seed=seed), before).findings for seed in range(200)]
    assert any("effusion has decreased" in text for text in told)
    assert not any("increased" in text or "unchanged" in text for text in told)


def test_layouts_vary() -> None:
    texts = [report(study(_EFFUSION, seed=seed)) for seed in range(400)]
    assert any("WET READ" in written.text for written in texts)
    assert any("ADDENDUM" in written.text for written in texts)
    assert any(not written.impression for written in texts)
    assert any(not written.findings for written in texts)
