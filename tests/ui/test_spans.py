"""What a partial update sends."""

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from cockpit.textual_internals import narrowed

PLAIN = Style()


def sent(line: dict[int, Strip | None], ends: list[int], *spans: tuple[int, int, int]) -> str:
    update = narrowed(ChopsUpdate([line], list(spans), [ends]))
    return update.render_segments(Console(color_system=None))


def strip(text: str) -> Strip:
    return Strip([Segment(text, PLAIN)])


def test_only_the_changed_columns_are_sent() -> None:
    assert sent({0: strip("step 1,331 of 2,000")}, [19], (0, 9, 10)) == "\x1b[1;10H1"


def test_a_span_over_two_widgets_is_sent_in_both() -> None:
    line = {0: strip("left"), 4: strip("right")}
    assert sent(line, [4, 9], (0, 2, 6)) == "\x1b[1;3Hft\x1b[1;5Hri"


def test_what_begins_where_the_span_ends_is_not_sent() -> None:
    line = {0: strip("left"), 4: None, 8: strip("far")}
    assert sent(line, [4, 8, 11], (0, 0, 4)) == "\x1b[1;1Hleft"


def test_several_spans_of_a_line() -> None:
    assert sent({0: strip("0123456789")}, [10], (0, 1, 2), (0, 7, 9)) == "\x1b[1;2H1\x1b[1;8H78"


def test_a_full_update_passes_as_it_is() -> None:
    assert narrowed("all of it") == "all of it"
    assert narrowed(None) is None
