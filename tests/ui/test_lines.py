"""Lines, cells, and what changed between two of them."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len, get_character_cell_size

from cockpit.toolkit.lines import both_ends, cells, changed_spans, clean, columns, cut, pad, width_of, wrap


def test_what_a_terminal_would_obey_is_replaced() -> None:
    assert clean("a\x1b[31mb\x07\x9bc\u202ed") == "a\ufffd[31mb\ufffd\ufffdc\ufffdd"
    assert clean("two\r\nlines\tapart") == "two lines apart"


def test_what_terminals_measure_differently_is_left_out() -> None:
    assert clean("\u2764\ufe0f") == "\u2764"
    assert clean("\U0001f44d\U0001f3fd \u3164") == "\U0001f44d\ufffd \ufffd"
    assert clean("e" + "\u0301" * 900 + "x") == "e" + "\u0301" * 4 + "x"
    assert clean("e\u0301\u0323") == "e\u0301\u0323"


@given(st.text(st.one_of(st.characters(), st.sampled_from("\u200d\ufe0f\u0301\U0001f3fd\U0001f468\u3164"))))
def test_a_text_is_as_wide_as_its_characters(text: str) -> None:
    made = clean(text)
    assert cell_len(made) == sum(map(get_character_cell_size, made))


def test_cells_fill_and_cut_to_the_width() -> None:
    assert "".join(char for char, _ in cells([("ab", "text")], 4)) == "ab  "
    assert "".join(char for char, _ in cells([("abcdef", "text")], 4)) == "abcd"


def test_a_wide_character_takes_two_cells_and_is_not_cut_in_half() -> None:
    row = cells([("日本", "text")], 3)
    assert [char for char, _ in row] == ["日", "", " "]


def test_a_changed_digit_is_a_span_of_one_cell() -> None:
    old = cells([("step 299 / 618", "text")], 40)
    new = cells([("step 298 / 618", "text")], 40)
    assert changed_spans(old, new) == [(7, 8)]


def test_near_changes_are_sent_together_and_far_ones_apart() -> None:
    old = cells([("a.b.............c", "text")], 20)
    new = cells([("A.B.............C", "text")], 20)
    assert changed_spans(old, new) == [(0, 3), (16, 17)]


def test_a_changed_colour_is_a_change() -> None:
    assert changed_spans(cells([("ab", "text")], 2), cells([("ab", "bad")], 2)) == [(0, 2)]


@given(st.text(max_size=30), st.text(max_size=30), st.integers(1, 25))
def test_spans_cover_every_difference_and_cut_no_wide_character(first: str, second: str, width: int) -> None:
    old, new = cells([(first, "text")], width), cells([(second, "text")], width)
    spans = changed_spans(old, new)
    covered = {column for start, end in spans for column in range(start, end)}
    assert all(column in covered for column in range(width) if old[column] != new[column])
    for start, end in spans:
        assert 0 <= start < end <= width
        assert new[start][0] != "" and old[start][0] != ""
        assert end == width or (new[end][0] != "" and old[end][0] != "")


@given(st.text(max_size=200), st.integers(1, 40), st.integers(1, 5))
def test_wrapped_lines_fit(text: str, width: int, height: int) -> None:
    lines = wrap(text, width, height)
    assert len(lines) <= height
    assert all(cell_len(line) <= max(width, 2) for line in lines)


def test_a_text_is_looked_at_no_further_than_it_can_be_seen() -> None:
    begun, seen = "ab " * 400_000, wrap("ab " * 400, 9, 2)
    assert wrap(begun, 9, 2) == seen == ["ab ab ab", "ab ab ab\u2026"]
    assert wrap("x" * 1_000_000, 9, 2) == ["x" * 9, "x" * 8 + "\u2026"]
    assert wrap(" " * 1_000_000 + "x", 9, 2) == ["\u2026"]


def test_what_is_cut_shows_it() -> None:
    assert wrap("one two three four", 9, 1) == ["one two…"]
    assert wrap("one two", 9, 1) == ["one two"]
    assert cut("abcdef", 4) == "abc…"


def test_the_right_end_gives_way() -> None:
    left, right = [("left", "text")], [("right", "text")]
    assert width_of(both_ends(left, right, 20)) == 20
    assert both_ends(left, right, 8) == left


def test_columns_stand_side_by_side() -> None:
    frame = columns([([[("a", "text")]], 3), ([[("b", "text")], [("c", "text")]], 2)], gap=1)
    assert ["".join(text for text, _ in line) for line in frame] == ["a   b ", "    c "]


def test_pad_never_shortens() -> None:
    assert pad([("long", "text")], 2) == [("long", "text")]
