"""A failure of the cockpit is told without the words that it held."""

from cockpit.crash import crash_note


def test_the_place_is_told_and_no_value() -> None:
    report = "Mrs Smith has a left effusion."
    try:
        raise KeyError(report)
    except KeyError:
        note = crash_note().plain
    assert "KeyError" in note and f"{__file__}:" in note and "engine" in note
    assert "Smith" not in note
