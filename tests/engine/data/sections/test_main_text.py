"""Which text of a report is taken, and what is told about what was not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.sections import main_text as why
from engine.data.sections.layout import split_sections
from engine.data.sections.main_text import MainText, main_text

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
FINAL = " " * 33 + "FINAL REPORT\n"
RULE = " " + "_" * 60 + "\n"
COUGH = FINAL + " INDICATION:  Cough.\n \n"
CLEAR = " FINDINGS:  The lungs are clear.\n \n"


def taken(report: str, study: str | None = None) -> tuple[str, str]:
    found = main_text(report, study)
    return found.section, found.text


def test_impression_is_unwrapped_and_keeps_the_gaps() -> None:
    assert main_text(REPORT) == MainText("impression", "No acute cardiopulmonary process. See ___.")
    assert [section.name for section in split_sections(REPORT)] == [
        "EXAMINATION",
        "INDICATION",
        "COMPARISON",
        "FINDINGS",
        "IMPRESSION",
    ]


def test_findings_stand_in_for_the_impression() -> None:
    report = REPORT[: REPORT.index(" IMPRESSION")]
    assert taken(report) == ("findings", "The heart is normal. There is no focal consolidation.")


@pytest.mark.parametrize(
    ("report", "section", "text"),
    [
        # Headers that the official parser does not see.
        ("Impression: clear lungs.", "impression", "clear lungs."),
        ("\nIMPRESSION:\nClear.\n", "impression", "Clear."),
        (" FINDINGS:\n IMPRESSION: Clear.", "impression", "Clear."),
        (" FINDINGS: Heart normal. IMPRESSION: Clear.", "impression", "Clear."),
        (COUGH + CLEAR + " IMPRESSION\n \n No acute process.\n", "impression", "No acute process."),
        (COUGH + CLEAR + " IMPRESSION;  No acute process.\n", "impression", "No acute process."),
        (COUGH + CLEAR + " IMPRESSION :  No acute process.\n", "impression", "No acute process."),
        (COUGH + CLEAR + " IMPRESSION:1. No acute process.\n", "impression", "1. No acute process."),
        (COUGH + CLEAR + "\tIMPRESSION:  No acute process.\n", "impression", "No acute process."),
        (" CHEST 2 VIEWS:  Clear.", "findings", "Clear."),
        (COUGH + " Findings: The lungs are clear.\n", "findings", "The lungs are clear."),
        (COUGH + " Chest, two views: The lungs are clear.\n", "findings", "The lungs are clear."),
        # Names and spellings.
        (" FINDINGS AND IMPRESSION:  Clear.", "impression", "Clear."),
        (" FINDINGS/ IMPRESSION:  Clear.", "impression", "Clear."),
        (" CONCLUSION:  Clear.", "impression", "Clear."),
        (" IMPRESSON:  Clear.", "impression", "Clear."),
        (" IMORESSION:  Clear.", "impression", "Clear."),
        (COUGH + " FINDGINGS:  Clear.\n \n TECHNIQUE: AP.", "findings", "Clear."),
        (COUGH + " LATERAL AND PA:  Clear.\n \n COMPARISON: None.", "findings", "Clear."),
        (COUGH + " BONE WINDOWS:  Clear.\n \n COMPARISON: None.", "findings", "Clear."),
        (" CHEST, PA AND LATERAL:  Clear.", "findings", "Clear."),
        (COUGH + CLEAR + " NDICATION:  Cough.\n", "findings", "The lungs are clear."),
        (COUGH + CLEAR + " PREVIOUS IMPRESSION:  Pneumonia.\n", "findings", "The lungs are clear."),
        # What cuts an impression, and what does not.
        (" IMPRESSION:  First.\n \n NOTIFICATION:  By phone.", "impression", "First."),
        (" IMPRESSION:  First.\n \n RECOMMENDATION(S):  CT.", "impression", "First."),
        (" IMPRESSION:  1. At 10:30.\n 2. Clear.", "impression", "1. At 10:30. 2. Clear."),
        (" IMPRESSION:  Opacity in the\n RLL: pneumonia?", "impression", "Opacity in the RLL: pneumonia?"),
        (
            " IMPRESSION:  Clear.\n \n NOTE:  Rotated film.",
            "impression",
            "Clear. NOTE: Rotated film.",
        ),
        (
            " IMPRESSION:  Clear.\n \n T12:  Old fracture.",
            "impression",
            "Clear. T12: Old fracture.",
        ),
        (
            " IMPRESSION:  Stable, with these\n findings: cardiomegaly and the\n history: of edema.",
            "impression",
            "Stable, with these findings: cardiomegaly and the history: of edema.",
        ),
        (
            COUGH + " FINDINGS:  For the nodule see IMPRESSION: below. Lungs clear.\n",
            "findings",
            "For the nodule see IMPRESSION: below. Lungs clear.",
        ),
        (
            COUGH + " FINDINGS:  Nodule, for which see\n IMPRESSION: below. Lungs clear.\n",
            "findings",
            "Nodule, for which see IMPRESSION: below. Lungs clear.",
        ),
        # Sub-headings.
        (
            COUGH + " FINDINGS:\n LINES/TUBES:  None.\n LUNGS:  Clear.\n UPPER ABDOMEN:  Normal.\n",
            "findings",
            "LINES/TUBES: None. LUNGS: Clear. UPPER ABDOMEN: Normal.",
        ),
        (
            COUGH + " IMPRESSION:\n CHEST:  Clear.\n ABDOMEN:  Dilated loops.\n",
            "impression",
            "CHEST: Clear. ABDOMEN: Dilated loops.",
        ),
        (
            FINAL + " INDICATION:  Cough.\n LUNGS:  Clear.\n HEART:  Enlarged.\n",
            "findings",
            "LUNGS: Clear. HEART: Enlarged.",
        ),
        (
            COUGH + " LUNGS:  Clear.\n \n HEART:  Enlarged.\n",
            "last_paragraph",
            "LUNGS: Clear. HEART: Enlarged.",
        ),
        # Text below the headers, and under the wrong one.
        (
            " COMPARISON: ___.\n \n Heart normal.\n \n Lungs clear.",
            "last_paragraph",
            "Heart normal. Lungs clear.",
        ),
        (" FINAL REPORT\n Clear lungs.", "last_paragraph", "Clear lungs."),
        (" FINAL REPORT\n CHEST RADIOGRAPH\n \n Clear lungs.", "last_paragraph", "Clear lungs."),
        (FINAL + " Lungs are clear.\n \n No effusion.\n", "last_paragraph", "Lungs are clear. No effusion."),
        (FINAL + " The lungs are clear.\n \n COMPARISON:  None.\n", "last_paragraph", "The lungs are clear."),
        (
            COUGH + " The lungs are clear.\n \n NOTIFICATION:  By phone.\n",
            "last_paragraph",
            "The lungs are clear.",
        ),
        (FINAL + " COMPARISON:  None available. Heart is large.\n", "comparison", "Heart is large."),
        # Odd characters.
        (" IMPRESSION: Cl\x1bear\x00.", "impression", "Clear."),
        ("\ufeffIMPRESSION: Clear.", "impression", "Clear."),
        # Nothing to take.
        (" INDICATION: cough", "", ""),
        (" WET READ: pneumonia", "", ""),
        (COUGH + " IMPRESSION:  ___.\n", "", ""),
        ("", "", ""),
    ],
)
def test_which_text_is_taken(report: str, section: str, text: str) -> None:
    assert taken(report) == (section, text)


@pytest.mark.parametrize(
    "empty",
    [
        "As above.",
        "1. As above.",
        "As described above.",
        "See findings.",
        "Please see above.",
        "Refer to CT report of the same day.",
        "___",
        "___.",
        "1.",
        "None.",
        "Discussed with Dr. ___ by phone at 10:30.",
    ],
)
def test_an_impression_that_says_nothing_is_passed_over(empty: str) -> None:
    assert main_text(f"{COUGH}{CLEAR} IMPRESSION:  {empty}\n") == MainText(
        "findings", "The lungs are clear.", (why.SAYS_NOTHING.format("impression"),)
    )


@pytest.mark.parametrize(
    "text",
    [
        "As above, no acute process.",
        "See above. No pneumonia.",
        "No change.",
        "No pneumonia, discussed with Dr. ___ by phone.",
        "Unchanged.",
        "___ tube removed.",
    ],
)
def test_an_impression_that_says_something_is_taken(text: str) -> None:
    assert taken(f"{COUGH}{CLEAR} IMPRESSION:  {text}\n") == ("impression", text)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        # The last impression, as the official parser has it.
        (
            " ADDENDUM: Also.\n IMPRESSION: Added.\n" + RULE + REPORT,
            MainText("impression", "No acute cardiopulmonary process. See ___.", (why.ADDENDUM, why.SEVERAL)),
        ),
        (
            COUGH + " IMPRESSION:  Edema.\n \n IMPRESSION:  As above.\n",
            MainText("impression", "Edema.", (why.SAYS_NOTHING.format("impression"), why.SEVERAL)),
        ),
        # Wet reads.
        (
            " WET READ: ___ ___ 8:10 PM\n  Pneumonia!\n" + RULE + FINAL + " CHEST\n \n Clear lungs.",
            MainText("last_paragraph", "Clear lungs.", (why.WET_READ,)),
        ),
        (
            " WET READ: ___\n IMPRESSION:  Pneumonia.\n" + RULE + FINAL + " CHEST\n \n Clear lungs.",
            MainText("last_paragraph", "Clear lungs.", (why.WET_READ,)),
        ),
        (
            COUGH + CLEAR + " WET READ:  Pneumonia?\n" + RULE + " DR. ___\n",
            MainText("findings", "The lungs are clear.", (why.WET_READ,)),
        ),
        (
            COUGH + " PRELIMINARY IMPRESSION:  Pneumonia.\n \n" + CLEAR,
            MainText("findings", "The lungs are clear.", (why.WET_READ,)),
        ),
        (" WET READ:  Pneumonia.\n", MainText("", "", (why.WET_READ, why.ONLY_PRELIMINARY))),
        # Addenda, signatures, notifications.
        (
            COUGH + CLEAR + RULE + " ADDENDUM:  Discussed with Dr. ___.\n",
            MainText("findings", "The lungs are clear.", (why.ADDENDUM,)),
        ),
        (
            COUGH + " The lungs are clear.\n \n ADDENDUM:  Called.\n \n At 10 AM.\n",
            MainText("last_paragraph", "The lungs are clear.", (why.ADDENDUM,)),
        ),
        (
            COUGH + " The lungs are clear.\n \n" + RULE + " DR. ___ ___\n",
            MainText("last_paragraph", "The lungs are clear.", (why.SIGNATURE,)),
        ),
        (
            COUGH + " IMPRESSION:  Edema.\n \n Electronically signed by: ___, MD\n",
            MainText("impression", "Edema.", (why.SIGNATURE,)),
        ),
        (
            COUGH + " IMPRESSION:  Edema.\n \n DR. ___ ___\n \n Approved: MON ___ 8:10 PM\n",
            MainText("impression", "Edema.", (why.SIGNATURE,)),
        ),
        # Several examinations.
        (
            FINAL + " CHEST:  The lungs are clear.\n \n KUB:  Dilated loops.\n",
            MainText("findings", "The lungs are clear.", (why.ELSEWHERE, why.UNUSUAL)),
        ),
        (
            FINAL
            + " PORTABLE CHEST:  Clear.\n \n PORTABLE ABDOMEN:  Ileus.\n \n IMPRESSION:  No effusion. Ileus.\n",
            MainText("impression", "No effusion. Ileus.", (why.ELSEWHERE, why.JOINT)),
        ),
        (
            FINAL
            + " CHEST, TWO VIEWS:  Clear.\n \n RIGHT HIP:  Broken.\n \n IMPRESSION:  Femoral fracture.\n",
            MainText("findings", "Clear.", (why.ELSEWHERE, why.UNUSUAL)),
        ),
        (
            FINAL
            + " EXAM:  LEFT KNEE\n \n IMPRESSION:  Fracture.\n \n EXAM:  CHEST\n \n IMPRESSION:  Clear.\n",
            MainText("impression", "Clear.", (why.ELSEWHERE,)),
        ),
        (
            FINAL + " CHEST:\n \n FINDINGS:  Clear.\n \n KNEE:\n \n FINDINGS:  Fracture.\n",
            MainText("findings", "Clear.", (why.ELSEWHERE,)),
        ),
    ],
)
def test_what_is_passed_over_is_told(report: str, expected: MainText) -> None:
    assert main_text(report) == expected


def test_the_official_list_says_where_the_text_of_a_study_is() -> None:
    report = COUGH + " COMPARISON:  None.\n" + "x" * 500
    assert taken(report, "s50525523") == ("last_paragraph", report[201:349].strip())
    assert main_text(report, "s58235663") == MainText("", "", ("text by the official list of studies",))
    assert taken(" EXAMINATION:  Clear.\n \n FINDINGS: No.", "s56450000")[1] == "No."
    assert taken("\n EXAMINATION:  Clear.\n \n FINDINGS: No.", "s59363654")[1] == "Clear."


@given(st.text(alphabet="AB ab:\n_.FINDGSMPREO"))
def test_any_report_is_taken(report: str) -> None:
    found = main_text(report)
    assert bool(found.section) == bool(found.text) and "\n" not in found.text
