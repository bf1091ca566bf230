import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.icd import category, dotted, from_dotted, is_icd


@pytest.mark.parametrize(
    ("code", "text", "group"),
    [
        ("10:I509", "I50.9", "10:I50"),
        ("10:J90", "J90", "10:J90"),
        ("10:E1165", "E11.65", "10:E11"),
        ("10:S72001A", "S72.001A", "10:S72"),
        ("10:C7A1", "C7A.1", "10:C7A"),
        ("9:4280", "428.0", "9:428"),
        ("9:V4581", "V45.81", "9:V45"),
        ("9:E8859", "E885.9", "9:E885"),
        ("9:486", "486", "9:486"),
    ],
)
def test_code_dotted_and_back(code: str, text: str, group: str) -> None:
    assert is_icd(code)
    assert dotted(code) == text
    assert from_dotted(text) == code
    assert category(code) == group


@pytest.mark.parametrize(
    "text", ["", "5", "I5", "I50.", "heart", "1234", "I50.12345", "I 50", "42.80", "10:I509"]
)
def test_what_is_no_code(text: str) -> None:
    assert from_dotted(text) is None


def test_the_reference_decides_the_version() -> None:
    assert from_dotted("V43.52") == "9:V4352"
    assert from_dotted("V43.52", ["10:V4352"]) == "10:V4352"
    assert from_dotted("I50.9", ["9:I509"]) == "9:I509"


@given(
    st.builds(
        lambda letter, digits, rest: f"10:{letter}{digits}{rest}",
        st.sampled_from(string.ascii_uppercase),
        st.from_regex(r"\A[0-9]{2}\Z"),
        st.text("0123456789ABX", max_size=4),
    )
)
def test_every_icd10_code_comes_back_when_the_reference_has_it(code: str) -> None:
    assert from_dotted(dotted(code), [code]) == code
