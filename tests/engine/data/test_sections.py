import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.sections import main_text, split_sections

REPORT = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___F with cough  // ?pneumonia

 COMPARISON:  Chest radiograph ___ at 10:30.

 FINDINGS:

 The heart is normal.  There is no
 focal consolidation.

 IMPRESSION:

 No acute cardiopulmonary
 process.  See ___.
"""


def test_impression_is_unwrapped_and_keeps_the_gaps() -> None:
    assert main_text(REPORT) == ("impression", "No acute cardiopulmonary process. See ___.")
    assert [section.name for section in split_sections(REPORT)] == [
        "EXAMINATION",
        "INDICATION",
        "COMPARISON",
        "FINDINGS",
        "IMPRESSION",
    ]


def test_findings_stand_in_for_the_impression() -> None:
    report = REPORT[: REPORT.index(" IMPRESSION")]
    assert main_text(report) == ("findings", "The heart is normal. There is no focal consolidation.")


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ("Impression: clear lungs.", ("impression", "clear lungs.")),
        ("\nIMPRESSION:\nClear.\n", ("impression", "Clear.")),
        (" FINDINGS:\n IMPRESSION: Clear.", ("impression", "Clear.")),
        (" FINDINGS: Heart normal. IMPRESSION: Clear.", ("impression", "Clear.")),
        (" FINDINGS AND IMPRESSION:  Clear.", ("impression", "Clear.")),
        (" CONCLUSION:  Clear.", ("impression", "Clear.")),
        (" IMPRESSON:  Clear.", ("impression", "Clear.")),
        (" CHEST 2 VIEWS:  Clear.", ("findings", "Clear.")),
        (" CHEST, PA AND LATERAL:  Clear.", ("findings", "Clear.")),
        (" IMPRESSION:\n \n FINDINGS: Clear.", ("findings", "Clear.")),
        (" IMPRESSION:  First.\n \n NOTIFICATION:  By phone.", ("impression", "First.")),
        (
            " IMPRESSION:  1. Time 10:30 was noted.\n 2. Clear.",
            ("impression", "1. Time 10:30 was noted. 2. Clear."),
        ),
        (" IMPRESSION: Clear.\r\n Lungs.", ("impression", "Clear. Lungs.")),
        (" IMPRESSION: Cl\x1bear\x00.", ("impression", "Clear.")),
        (
            " COMPARISON: ___.\n \n Heart normal.\n \n Lungs clear.",
            ("last_paragraph", "Heart normal. Lungs clear."),
        ),
        (" FINAL REPORT\n Clear lungs.", ("last_paragraph", "Clear lungs.")),
        (" FINAL REPORT\n CHEST RADIOGRAPH\n \n Clear lungs.", ("last_paragraph", "Clear lungs.")),
        (" INDICATION: cough", None),
        (" WET READ: pneumonia", None),
        ("", None),
    ],
)
def test_which_text_is_taken(report: str, expected: tuple[str, str] | None) -> None:
    assert main_text(report) == expected


def test_the_last_of_two_impressions_counts() -> None:
    addendum = " ADDENDUM: Also.\n IMPRESSION: Added.\n " + "_" * 70 + "\n" + REPORT
    assert main_text(addendum) == ("impression", "No acute cardiopulmonary process. See ___.")


def test_the_wet_read_is_never_taken() -> None:
    wet = (
        " WET READ: ___ ___ 8:10 PM\n  Pneumonia!\n" + "_" * 78 + "\n FINAL REPORT\n CHEST\n \n Clear lungs."
    )
    assert main_text(wet) == ("last_paragraph", "Clear lungs.")


@given(st.text(alphabet="AB ab:\n_.FINDGSMPREO"))
def test_any_report_is_taken(report: str) -> None:
    found = main_text(report)
    assert found is None or (found[1] and "\n" not in found[1])
