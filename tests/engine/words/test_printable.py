import pytest

from engine.words.printable import MAX_MESSAGE, as_line, clean_line, message, one_line, printable

HOSTILE = "\x1b]0;title\x07\x9b31m\u202e\x00"


def test_nothing_of_it_is_obeyed_and_line_ends_stay() -> None:
    assert printable(f"a{HOSTILE}\nb\tc") == "a\ufffd]0;title\ufffd\ufffd31m\ufffd\ufffd\nb c"
    assert printable("naïve 胸部 ✔\n") == "naïve 胸部 ✔\n"


def test_one_line() -> None:
    assert one_line(" a\r\n\tb  c ") == "a b c"
    assert clean_line(" a\x1b\r\n\tb\u202e  c ") == "a b c"
    assert as_line("a   b\nrun  c\r") == "a   b\ufffdrun  c\ufffd"


@pytest.mark.parametrize("size", [1, MAX_MESSAGE, MAX_MESSAGE + 1, 390_000])
def test_a_message_can_be_read(size: int) -> None:
    said = message("a" * (size - 1) + "z")
    assert len(said) <= MAX_MESSAGE and said.endswith("z")
    assert ("characters left out" in said) == (size > MAX_MESSAGE)
    if size > MAX_MESSAGE:
        kept = said.split(" … ")
        assert f"({size - len(kept[0]) - len(kept[2]):,} characters left out)" == kept[1]
