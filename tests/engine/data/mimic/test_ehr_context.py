import pytest

from engine.data.mimic.ehr_context import (
    HEART_RATE,
    SATURATION,
    TEMPERATURE,
    EhrContext,
    Measurement,
    judged,
    rounded,
    vital,
)
from engine.data.mimic.reasoning import reasoning

CONTEXT = EhrContext(
    age=68,
    sex="M",
    complaint="Shortness of breath, ",
    vitals={
        "Temp": Measurement(38.4, "C", "high"),
        "HR": Measurement(112, "", "high"),
        "BP": Measurement(98, "", "normal"),
        "diastolic BP": Measurement(61, "", "normal"),
        "SpO2": Measurement(91, "%", "low"),
    },
    labs={
        "Creatinine": Measurement(2.4, "", "high"),
        "Sodium": Measurement(139, "", "normal"),
        "NT-proBNP": Measurement(5400, "", None),
    },
    history=("Heart failure, unspecified", "Type 2 diabetes mellitus"),
)


def test_text_of_a_full_context() -> None:
    assert CONTEXT.text() == (
        "68 M. Complaint: shortness of breath. Temp 38.4 C (high), HR 112 (high), BP 98/61, SpO2 91 % (low). "
        "Creatinine 2.4 (high), NT-proBNP 5400. Other labs normal. "
        "History: Heart failure, unspecified; Type 2 diabetes mellitus."
    )
    assert CONTEXT.to_json()["text"] == CONTEXT.text()


@pytest.mark.parametrize(
    ("context", "text"),
    [
        (EhrContext(), "Nothing recorded."),
        (EhrContext(age=91, sex="F"), "Over 89 F."),
        (EhrContext(sex="F"), "F."),
        (EhrContext(labs={"Sodium": Measurement(139, "", "normal")}), "Labs normal."),
        (EhrContext(complaint="x\x1b[31m" + "y" * 100), f"Complaint: x[31m{'y' * 75}."),
    ],
)
def test_text_of_a_sparse_context(context: EhrContext, text: str) -> None:
    assert context.text() == text


def test_reasoning_names_the_abnormal_values_in_the_order_of_the_context() -> None:
    assert reasoning("Mild edema", CONTEXT) == (
        "Mild edema. Temp is high at 38.4 C, HR is high at 112, SpO2 is low at 91 % "
        "and Creatinine is high at 2.4."
    )
    assert reasoning("Clear.", EhrContext()) == "Clear."
    normal = EhrContext(labs={"Sodium": Measurement(139, "", "normal")})
    assert reasoning("Clear.", normal) == "Clear. Measured values are within normal limits."


@pytest.mark.parametrize(
    ("value", "low", "high", "mark"),
    [
        (1, 2, 3, "low"),
        (2, 2, 3, "normal"),
        (4, 2, 3, "high"),
        (4, None, 3, "high"),
        (4, 3, None, "normal"),
        (4, None, None, None),
    ],
)
def test_judged(value: float, low: float | None, high: float | None, mark: str | None) -> None:
    assert judged(value, low, high) == mark


def test_vital_signs_are_converted_and_impossible_ones_left_out() -> None:
    assert vital(TEMPERATURE, 101.1) == Measurement(38.4, "C", "high")
    assert vital(TEMPERATURE, 37.0) == Measurement(37.0, "C", "normal")
    assert vital(TEMPERATURE, 9.0) is None
    assert vital(HEART_RATE, None) is None
    assert vital(SATURATION, 980.0) is None
    assert vital(SATURATION, 91.0) == Measurement(91.0, "%", "low")


@pytest.mark.parametrize(
    ("value", "text"),
    [(139.4, "139"), (38.44, "38.4"), (2.404, "2.4"), (0.354, "0.35"), (7.0, "7"), (100, "100")],
)
def test_rounded(value: float, text: str) -> None:
    assert rounded(value) == text
