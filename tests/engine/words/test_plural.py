"""Numbers of things in words."""

from engine.words.plural import counted


def test_one_thing_has_no_plural() -> None:
    assert [counted(number, "step") for number in (0, 1, 2, 1332)] == [
        "0 steps",
        "1 step",
        "2 steps",
        "1,332 steps",
    ]
    assert counted(1, "study", "studies") == "1 study" and counted(2, "study", "studies") == "2 studies"
