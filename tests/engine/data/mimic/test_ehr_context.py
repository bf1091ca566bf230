import pytest

from engine.data.labels import LABELS
from engine.data.mimic.diagnoses import Diagnosis
from engine.data.mimic.diagnosis_list import groups
from engine.data.mimic.ehr_context import (
    HEART_RATE,
    SATURATION,
    TEMPERATURE,
    VITALS,
    EhrContext,
    Measurement,
    judged,
    rounded,
    vital,
)
from engine.data.mimic.lab_items import lab_items
from engine.data.mimic.reasoning import Sentence, reasoning, rules

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


def reasoned(text: str, context: EhrContext, findings: tuple[str, ...] = (), *groups: str) -> str:
    codes = [Diagnosis("10:I509", "", group, f"row of {group}") for group in groups]
    said = reasoning(Sentence(text, ()), {name: f"label {name}" for name in findings}, context, codes)
    return " ".join(sentence.text for sentence in said)


def test_reasoning_names_the_abnormal_values_in_the_order_of_the_context() -> None:
    assert reasoned("Mild edema", CONTEXT) == (
        "Mild edema. Temp is high at 38.4 C, HR is high at 112, SpO2 is low at 91 % "
        "and Creatinine is high at 2.4."
    )
    assert reasoned("Clear.", EhrContext()) == "Clear."
    normal = EhrContext(labs={"Sodium": Measurement(139, "", "normal")})
    assert reasoned("Clear.", normal) == "Clear. Measured values are within normal limits."


def test_normal_limits_need_every_value_judged() -> None:
    mixed = EhrContext(
        vitals={"HR": Measurement(80, "", "normal")},
        labs={"Sodium": Measurement(139), "INR": Measurement(1, "", "normal")},
    )
    assert reasoned("Clear.", mixed) == "Clear."
    assert mixed.text() == "HR 80. Sodium 139. Other labs normal."


def test_what_speaks_for_a_code_is_said_of_coded_groups_alone() -> None:
    said = reasoned(
        "Edema.", CONTEXT, ("Edema", "Fracture"), "heart failure", "kidney failure", "lung cancer", "diabetes"
    )
    assert said.endswith(
        "Edema and low SpO2 speak for heart failure. High Creatinine speaks for kidney failure."
    )
    assert "speak" not in reasoned("Edema.", CONTEXT, ("Edema",))
    flagged = EhrContext(labs={"Hemoglobin": Measurement(5.1, "", "abnormal")})
    assert reasoned("Clear.", flagged, (), "anemia") == ("Clear. Abnormal Hemoglobin speaks for anemia.")


def test_every_sentence_keeps_its_rows() -> None:
    context = EhrContext(labs={"Creatinine": Measurement(2.4, "", "high", source="labevents 7")})
    said = reasoning(
        Sentence("Clear", ("report",)),
        {},
        context,
        [Diagnosis("10:N179", "AKI", "kidney failure", "diagnoses_icd 3")],
    )
    assert [sentence.sources for sentence in said] == [
        ("report",),
        ("labevents 7", "diagnoses_icd 3", "rule: kidney failure"),
    ]


def test_rules_name_what_there_is() -> None:
    names = {item.name for item in lab_items().values()} | {sign.name for sign in VITALS}
    groups_known = {group.name for group in groups()}
    for rule in rules().values():
        assert rule.group in groups_known
        assert set(rule.findings) <= set(LABELS)
        assert {entry.rsplit(" ", 1)[0] for entry in rule.evidence} <= names
        assert {entry.rsplit(" ", 1)[1] for entry in rule.evidence} <= {"high", "low"}


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


@pytest.mark.parametrize(
    ("value", "low", "high", "bound", "flag", "mark"),
    [
        (5.1, None, None, "", "abnormal", "abnormal"),
        (5.1, None, None, "", "", None),
        (5.1, None, None, "", "H", "high"),
        (139, 133, 145, "", "abnormal", "abnormal"),
        (120, 133, 145, "", "abnormal", "low"),
        (5, 9, 3, "", None, None),  # a range turned round judges nothing
        (0.01, 0, 0.01, "<", None, "normal"),
        (5, 0, 3, "<", None, None),
        (1, 2, 9, "<", None, "low"),
        (70000, 0, 450, ">", None, "high"),
        (100, 0, 450, ">", None, None),
        (60, 60, None, ">", None, "normal"),
        (0.01, 0, 0.01, "<", "abnormal", "abnormal"),
    ],
)
def test_judged_by_bound_and_flag(
    value: float, low: float | None, high: float | None, bound: str, flag: str | None, mark: str | None
) -> None:
    assert judged(value, low, high, bound, flag) == mark


def test_vital_signs_are_converted_and_impossible_ones_left_out() -> None:
    assert vital(TEMPERATURE, 101.1) == Measurement(38.4, "C", "high")
    assert vital(TEMPERATURE, 37.0) == Measurement(37.0, "C", "normal")
    assert vital(TEMPERATURE, 9.0) is None
    assert vital(HEART_RATE, None) is None
    assert vital(SATURATION, 980.0) is None
    assert vital(SATURATION, 91.0) == Measurement(91.0, "%", "low")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (139.4, "139"),
        (38.44, "38.4"),
        (2.404, "2.4"),
        (0.354, "0.35"),
        (0.012, "0.012"),
        (7.0, "7"),
        (100, "100"),
    ],
)
def test_rounded(value: float, text: str) -> None:
    assert rounded(value) == text
