import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.answers import has_line, icd_line, label_line, prose, read_answer
from engine.data.labels import LABELS, positives


def positive(text: str) -> set[str] | None:
    labels = read_answer(text, "labels").labels
    return None if labels is None else set(positives(labels))


def test_label_line_names_the_positives_in_fixed_order() -> None:
    assert label_line({"Support Devices": 1, "Edema": 1, "Pneumonia": -1, "Fracture": 0}) == (
        "CheXpert: Edema, Support Devices"
    )
    assert label_line({"Pneumonia": -1, "No Finding": None}) == "CheXpert: No Finding"
    assert label_line({"No Finding": 1, "Support Devices": 1}) == "CheXpert: No Finding, Support Devices"


def test_icd_line() -> None:
    diagnoses = [("10:I509", "Heart failure, unspecified"), ("9:4280", "CHF; unspecified\n"), ("10:J90", "")]
    assert icd_line(diagnoses) == "ICD: I50.9 Heart failure, unspecified; 428.0 CHF, unspecified; J90"


@given(st.text(), st.sets(st.sampled_from(LABELS), min_size=1))
def test_labels_survive_any_prose(text: str, names: set[str]) -> None:
    said = read_answer(text + "\n" + label_line(dict.fromkeys(names, 1)), "labels")
    assert said.labels == {name: int(name in names) for name in LABELS}
    assert said.prose == text.strip()
    assert said.icd is None


@given(
    st.text(),
    st.lists(st.sampled_from(["10:I509", "10:J90", "9:4280", "9:V4581", "9:E8859"]), min_size=1),
    st.text(),
)
def test_codes_survive_any_prose_and_title(text: str, codes: list[str], title: str) -> None:
    said = read_answer(text + "\n" + icd_line((code, title) for code in codes), "icd")
    assert said.icd == list(dict.fromkeys(codes))
    assert said.prose == text.strip()
    assert said.labels is None


def test_labels_are_read_from_the_last_line() -> None:
    text = "Small left effusion.\nNo edema.\nCheXpert: Pleural Effusion, Support Devices\n"
    said = read_answer(text, "labels")
    assert said.prose == "Small left effusion.\nNo edema."
    assert said.labels is not None
    assert set(said.labels) == set(LABELS)
    assert positive(text) == {"Pleural Effusion", "Support Devices"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("CheXpert: No Finding", {"No Finding"}),
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
    for text, left in (
        ("Prose.\nCheXpert: Effusion", "Prose."),
        ("Prose. CheXpert: Edema", "Prose. CheXpert: Edema"),
        ("Prose.\nCheXpert: Edema\nMore.", "Prose.\nCheXpert: Edema\nMore."),
    ):
        assert read_answer(text, "labels").prose == left
    assert positive("Prose.\nCheXpert: Edema\nMore.") is None
    assert has_line("Prose.\nCheXpert: Effusion", "labels")
    assert not has_line("Prose. CheXpert: Edema", "labels")
    assert not has_line("Prose.\nCheXpert: Edema", "icd")


def test_icd_line_gives_codes_once_and_in_order() -> None:
    said = read_answer(
        "Reasoning.\nICD: i50.9 Heart failure, unspecified; J90; 428.0 CHF; J90 again; nonsense; V45.81 CABG",
        "icd",
    )
    assert said.prose == "Reasoning."
    assert said.icd == ["10:I509", "10:J90", "9:4280", "9:V4581"]


@pytest.mark.parametrize(
    "text", ["Reasoning.", "", "Reasoning.\nICD:", "Reasoning.\nICD: heart failure", "ICD: I50.9\nMore."]
)
def test_no_readable_icd_line(text: str) -> None:
    assert read_answer(text, "icd").icd is None


def test_reference_version_is_taken() -> None:
    assert read_answer("ICD: V45.81", "icd", ["10:V4581"]).icd == ["10:V4581"]


def test_prose_by_stage() -> None:
    assert prose("A.\nCheXpert: Edema", "stage_a") == "A."
    assert prose("A.\nICD: J90", "stage_b") == "A."
    assert prose("A.\nICD: J90", "stage_a") == "A.\nICD: J90"
    assert prose("A.\nICD: J90 ", "stage_z") == "A.\nICD: J90"


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    labelled, coded = read_answer(text, "labels"), read_answer(text, "icd")
    assert text.startswith(labelled.prose) or labelled.prose in text
    assert coded.prose in text
    assert labelled.labels is None or set(labelled.labels) == set(LABELS)


@given(st.text(alphabet="CheXprt:ICD\n ;,.09IEV"))
def test_texts_that_nearly_are_lines(text: str) -> None:
    assert read_answer(text, "labels").prose in text
    assert read_answer(text, "icd").icd != []
