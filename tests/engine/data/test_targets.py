from hypothesis import given
from hypothesis import strategies as st

from engine.data.labels import LABELS
from engine.data.targets import icd_line, label_line
from engine.metrics.parse import parse_icd, parse_labels


def test_label_line_names_the_positives_in_fixed_order() -> None:
    assert label_line({"Support Devices": 1, "Edema": 1, "Pneumonia": -1, "Fracture": 0}) == (
        "CheXpert: Edema, Support Devices"
    )
    assert label_line({"Pneumonia": -1, "No Finding": None}) == "CheXpert: none"
    assert label_line({"Pneumonia": -1, "Edema": 1}, "ones") == "CheXpert: Edema, Pneumonia"
    assert label_line({}) == "CheXpert: none"
    assert label_line({"No Finding": 1, "Support Devices": 1}) == "CheXpert: No Finding, Support Devices"


def test_icd_line() -> None:
    diagnoses = [("10:I509", "Heart failure, unspecified"), ("9:4280", "CHF; unspecified\n"), ("10:J90", "")]
    assert icd_line(diagnoses) == "ICD: I50.9 Heart failure, unspecified; 428.0 CHF, unspecified; J90"


@given(st.text(), st.sets(st.sampled_from(LABELS), min_size=1))
def test_labels_survive_any_prose(text: str, names: set[str]) -> None:
    parsed = parse_labels(text + "\n" + label_line(dict.fromkeys(names, 1)))
    assert parsed.labels == {name: int(name in names) for name in LABELS}
    assert parsed.prose == text.strip()


@given(
    st.text(),
    st.lists(st.sampled_from(["10:I509", "10:J90", "9:4280", "9:V4581", "9:E8859"]), min_size=1),
    st.text(),
)
def test_codes_survive_any_prose_and_title(text: str, codes: list[str], title: str) -> None:
    parsed = parse_icd(text + "\n" + icd_line((code, title) for code in codes))
    assert parsed.icd == list(dict.fromkeys(codes))
    assert parsed.prose == text.strip()
