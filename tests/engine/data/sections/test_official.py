"""The official parser's text, to the letter.

`official_golden.jsonl` holds made-up reports and the text that section_parser.py and create_section_files.py of
MIT-LCP/mimic-cxr give for each (run once, in November 2026); none of that code is here.
"""

import json
from pathlib import Path

import pytest

from engine.data.sections.official import BY_NUMBER, NOT_AS_LISTED, official_sections, official_text

GOLDEN = [
    json.loads(line)
    for line in Path(__file__).with_name("official_golden.jsonl").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["study"])
def test_the_same_text(case: dict[str, str]) -> None:
    assert official_text(case["report"], case["study"])[1] == case["official"]


def test_the_cases_reach_every_kind_of_text_and_every_listed_study() -> None:
    found = [official_text(case["report"], case["study"]) for case in GOLDEN]
    assert {kind for kind, _, _ in found} == {"impression", "findings", "last_paragraph", "comparison", ""}
    assert (
        len({case["study"] for case, (_, _, why) in zip(GOLDEN, found, strict=True) if BY_NUMBER in why})
        == 54
    )


def test_a_text_of_a_listed_study_keeps_its_white_space_as_the_official_one_does() -> None:
    assert official_text("x" * 46 + " y" * 200, "s51410602")[1] == (" y" * 200)[1:274]


def test_a_listed_section_that_is_not_there_is_told() -> None:
    assert official_text("\n FINDINGS: Clear.", "s50913680") == ("findings", "Clear.", (NOT_AS_LISTED,))


def test_the_text_before_the_last_paragraph_ends_where_it_begins() -> None:
    assert official_sections("\n COMPARISON: None.\n \n Clear.\n \n More.") == [
        ("preamble", "\n "),
        ("comparison", "None."),
        ("last_paragraph", " Clear.\n \n More."),
    ]
