from datetime import datetime

from engine.data.labels import LABELS
from engine.phantom.patient.truth import Finding, PatientTruth, Severity, StudyTruth
from engine.phantom.report.caption import ATTRIBUTES, attributes, write_caption

_EFFUSION = Finding("Pleural Effusion", Severity.SEVERE, "left")
_NODULE = Finding("Lung Lesion", Severity.MILD, "right", "upper", "nodule", certain=False)
_PACER = Finding("Support Devices", Severity.MODERATE, "left", None, "pacemaker")


def study(*findings: Finding) -> StudyTruth:
    return StudyTruth(10000032, 50414267, "d", datetime(2150, 3, 1), "AP", findings, frozenset(), 7)


def captions(truth: StudyTruth) -> list[str]:
    patient = PatientTruth(10000032, "F", 61, "train", (truth,), seed=5)
    return [write_caption(truth, patient, seed) for seed in range(60)]


def test_every_finding_is_covered_with_side_zone_and_severity() -> None:
    for text in captions(study(_EFFUSION, _NODULE, _PACER)):
        assert "AP" in text
        assert "left" in text and "large" in text.lower()
        assert "right" in text and "top" in text.lower() and "small" in text.lower()
        assert "pac" in text.lower()


def test_seed_words_and_orders() -> None:
    texts = captions(study(_EFFUSION, _NODULE, _PACER))
    assert len(set(texts)) > 50
    assert len({text.lower().index("pac") < text.lower().index("large") for text in texts}) == 2
    assert texts == captions(study(_EFFUSION, _NODULE, _PACER))


def test_captions_are_no_reports() -> None:
    for text in captions(study(_EFFUSION, _NODULE, _PACER)) + captions(study()):
        assert "IMPRESSION" not in text and "CheXpert" not in text and "___" not in text and "{" not in text
        assert "effusion" not in text and "acute cardiopulmonary" not in text


def test_attributes_follow_the_fixed_names() -> None:
    shown = attributes(study(_EFFUSION, _NODULE, _PACER))
    assert tuple(shown) == ATTRIBUTES
    assert {name for name, value in shown.items() if value} == {
        "Pleural Effusion",
        "Pleural Effusion/left",
        "Pleural Effusion/severe",
        "Lung Lesion",
        "Lung Lesion/right",
        "Lung Lesion/upper",
        "Lung Lesion/mild",
        "Lung Lesion/uncertain",
        "Support Devices",
        "Support Devices/pacemaker",
    }


def test_both_sides_set_both_and_a_clear_film_has_no_finding() -> None:
    shown = attributes(study(Finding("Pleural Effusion", Severity.MODERATE, "both")))
    assert shown["Pleural Effusion/left"] and shown["Pleural Effusion/right"] and not shown["No Finding"]
    assert [name for name, value in attributes(study()).items() if value] == ["No Finding"]
    assert set(LABELS) <= set(ATTRIBUTES)
