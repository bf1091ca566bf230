import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.labels import LABELS
from engine.metrics.parse import parse_icd, parse_labels, prose


def positive(text: str) -> set[str] | None:
    labels = parse_labels(text).labels
    return None if labels is None else {name for name, value in labels.items() if value}


def test_labels_are_read_from_the_last_line() -> None:
    parsed = parse_labels("Small left effusion.\nNo edema.\nCheXpert: Pleural Effusion, Support Devices\n")
    assert parsed.prose == "Small left effusion.\nNo edema."
    assert parsed.labels is not None
    assert set(parsed.labels) == set(LABELS)
    assert positive("x\nCheXpert: Pleural Effusion, Support Devices") == {
        "Pleural Effusion",
        "Support Devices",
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("CheXpert: No Finding", {"No Finding"}),
        ("CheXpert: none", set()),
        ("CheXpert: None ", set()),
        ("CheXpert: none, Edema", None),
        ("  chexpert:edema ,PLEURAL OTHER  ", {"Edema", "Pleural Other"}),
        ("CheXpert: Edema, Effusion", None),
        ("CheXpert: Edema,", None),
        ("CheXpert:", None),
        ("Labels: Edema", None),
    ],
)
def test_label_line(line: str, expected: set[str] | None) -> None:
    assert positive(f"Prose.\n{line}") == expected


def test_unreadable_label_line_is_still_no_prose() -> None:
    assert parse_labels("Prose.\nCheXpert: Effusion").prose == "Prose."
    assert parse_labels("Prose. CheXpert: Edema").prose == "Prose. CheXpert: Edema"
    assert parse_labels("Prose.\nCheXpert: Edema\nMore.").prose == "Prose.\nCheXpert: Edema\nMore."
    assert positive("Prose.\nCheXpert: Edema\nMore.") is None


def test_icd_line_gives_codes_once_and_in_order() -> None:
    parsed = parse_icd(
        "Reasoning.\nICD: i50.9 Heart failure, unspecified; J90; 428.0 CHF; J90 again; nonsense; V45.81 CABG"
    )
    assert parsed.prose == "Reasoning."
    assert parsed.icd == ["10:I509", "10:J90", "9:4280", "9:V4581"]


@pytest.mark.parametrize(
    "text", ["Reasoning.", "", "Reasoning.\nICD:", "Reasoning.\nICD: heart failure", "ICD: I50.9\nMore."]
)
def test_no_readable_icd_line(text: str) -> None:
    assert parse_icd(text).icd is None


def test_reference_version_is_taken() -> None:
    assert parse_icd("ICD: V45.81", ["10:V4581"]).icd == ["10:V4581"]


def test_prose_by_stage() -> None:
    assert prose("A.\nCheXpert: Edema", "stage_a") == "A."
    assert prose("A.\nICD: J90", "stage_b") == "A."
    assert prose("A.\nICD: J90", "stage_a") == "A.\nICD: J90"


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    labelled, coded = parse_labels(text), parse_icd(text)
    assert text.startswith(labelled.prose) or labelled.prose in text
    assert coded.prose in text
    assert labelled.labels is None or set(labelled.labels) == set(LABELS)


@given(st.text(alphabet="CheXprt:ICD\n ;,.09IEV"))
def test_texts_that_nearly_are_lines(text: str) -> None:
    assert parse_labels(text).prose in text
    assert parse_icd(text).icd != []
