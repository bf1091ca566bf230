import pytest

from engine.data.labels import LABELS_5
from engine.metrics.f1 import POLICY, Counts, count, label_counts, macro_f1, micro_f1, per_label, sample_f1


def test_chexpert_by_hand() -> None:
    references = [{"Edema": 1, "Pneumonia": -1}, {"Edema": 0, "Support Devices": 1}, {"No Finding": 1}]
    generated = [{"Edema": 1, "Pneumonia": 1}, {"Edema": 1, "Support Devices": 1}, None]
    counts = label_counts(references, generated)
    assert len(counts) == 14
    # True: Edema, Support Devices. False: Pneumonia (uncertain is negative), Edema. Missed: No Finding.
    assert micro_f1(counts.values()) == pytest.approx(4 / 7)
    assert macro_f1([*counts.values()]) == pytest.approx((2 / 3 + 1) / 14)
    five = [counts[name] for name in LABELS_5]
    assert micro_f1(five) == pytest.approx(2 / 3)
    assert macro_f1(five) == pytest.approx(2 / 3 / 5)
    each = per_label(counts)
    assert each["Edema"] == {"f1": pytest.approx(2 / 3), "precision": 0.5, "recall": 1.0, "support": 1}
    assert each["Pneumonia"] == {"f1": 0.0, "precision": 0.0, "recall": 0.0, "support": 0}
    assert each["Fracture"] == {"f1": 0.0, "precision": 0.0, "recall": 0.0, "support": 0}
    assert "U-Zeros" in POLICY


def test_perfect_and_nothing() -> None:
    labels = [{"Edema": 1}, {"No Finding": 1}]
    perfect = [*label_counts(labels, labels).values()]
    assert micro_f1(perfect) == 1.0
    assert macro_f1(perfect) == pytest.approx(2 / 14)
    assert micro_f1(label_counts(labels, [None, None]).values()) == 0.0
    assert micro_f1([]) == 0.0


def test_counts() -> None:
    assert count(["10:I509", "10:J90"], ["10:J90", "9:4280", "9:4280"]) == Counts(tp=1, fp=1, fn=1)
    assert Counts(1, 2, 3) + Counts(4, 5, 6) == Counts(5, 7, 9)


def test_unpaired_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        label_counts([{}], [])


def test_sample_f1() -> None:
    assert sample_f1([], []) == 1.0
    assert sample_f1(["a"], []) == 0.0
    assert sample_f1(["a", "b"], ["a"]) == pytest.approx(2 / 3)
