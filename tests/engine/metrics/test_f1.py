import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.labels import LABELS, UNCERTAIN_POLICIES
from engine.data.targets import label_line
from engine.metrics.f1 import chexpert_f1, icd_f1, positives, sample_f1
from engine.metrics.parse import parse_labels


def test_chexpert_by_hand() -> None:
    references = [{"Edema": 1, "Pneumonia": -1}, {"Edema": 0, "Support Devices": 1}, {"No Finding": 1}]
    generated = [{"Edema": 1, "Pneumonia": 1}, {"Edema": 1, "Support Devices": 1}, None]
    scores = chexpert_f1(references, generated)
    # Hits: Edema, Support Devices. Extra: Pneumonia (uncertain is negative), Edema. Missed: No Finding.
    assert scores["micro_f1_14"] == pytest.approx(4 / 7)
    assert scores["macro_f1_14"] == pytest.approx((2 / 3 + 1) / 14)
    assert scores["micro_f1_5"] == pytest.approx(2 / 3)
    assert scores["macro_f1_5"] == pytest.approx(2 / 3 / 5)
    assert scores["per_label"]["Edema"] == {
        "f1": pytest.approx(2 / 3),
        "precision": 0.5,
        "recall": 1.0,
        "support": 1,
    }
    assert scores["per_label"]["Pneumonia"] == {"f1": 0.0, "precision": 0.0, "recall": 0.0, "support": 0}
    assert scores["per_label"]["Fracture"] == {"f1": 0.0, "precision": 0.0, "recall": 0.0, "support": 0}
    assert "U-Zeros" in scores["policy"]


def test_perfect_and_nothing() -> None:
    labels = [{"Edema": 1}, {"No Finding": 1}]
    assert chexpert_f1(labels, labels)["micro_f1_14"] == 1.0
    assert chexpert_f1(labels, labels)["macro_f1_14"] == pytest.approx(2 / 14)
    assert chexpert_f1(labels, [None, None])["micro_f1_14"] == 0.0


def test_icd_by_hand() -> None:
    references = [["10:I509", "10:J90"], ["9:4280"], []]
    generated = [["10:I500", "10:J90"], None, ["10:J90"]]
    scores = icd_f1(references, generated)
    assert scores["micro_f1"] == pytest.approx(2 / (2 + 2 + 2))
    assert scores["micro_f1_category"] == pytest.approx(4 / (4 + 1 + 1))


def test_versions_are_different_codes() -> None:
    assert icd_f1([["9:4280"]], [["10:4280"]]) == {"micro_f1": 0.0, "micro_f1_category": 0.0}


def test_unpaired_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        chexpert_f1([{}], [])


def test_sample_f1() -> None:
    assert sample_f1([], []) == 1.0
    assert sample_f1(["a"], []) == 0.0
    assert sample_f1(["a", "b"], ["a"]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("policy", UNCERTAIN_POLICIES)
@given(labels=st.dictionaries(st.sampled_from(LABELS), st.sampled_from([1, 0, -1, None])))
def test_a_target_scored_against_its_own_labels_is_right(policy: str, labels: dict[str, int | None]) -> None:
    written = parse_labels("Prose.\n" + label_line(labels, policy)).labels
    assert written is not None
    assert sample_f1(positives(labels, policy), positives(written, policy)) == 1.0
    scores = chexpert_f1([labels, {"Edema": 1}], [written, {"Edema": 1}], policy)
    assert scores["micro_f1_14"] == 1.0


def test_the_policy_decides_about_uncertain_labels() -> None:
    reference, answer = [{"Pneumonia": -1, "Edema": 1}], [{"Pneumonia": 1, "Edema": 1}]
    found = {policy: chexpert_f1(reference, answer, policy) for policy in UNCERTAIN_POLICIES}
    assert [found[policy]["micro_f1_14"] for policy in UNCERTAIN_POLICIES] == [1.0, pytest.approx(2 / 3), 1.0]
    assert found["ignore"]["per_label"]["Pneumonia"]["support"] == 0
    assert found["ones"]["per_label"]["Pneumonia"]["support"] == 1
    assert len({scores["policy"] for scores in found.values()}) == 3
