"""Long work tells how far it is: in place on a terminal, sparsely elsewhere, and leaves the last word to others."""

import io
from contextlib import closing

import pytest

from engine.progress import Progress, progress_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()])
def test_it_is_told_in_place_or_sparsely(stream: io.StringIO) -> None:
    now = 100.0
    with closing(Progress(stream, lambda: now)) as progress:
        progress("loading", 0, 0)
        for done in range(1, 101):
            now += 0.25
            progress("writing", done, 100)
    said = stream.getvalue()
    if stream.isatty():
        assert "\n" not in said and said.count("writing") == 100 and said.endswith("\r\x1b[K")
    else:
        assert said.splitlines() == [
            "writing 40/100   4.1/s   left 15 s",
            "writing 80/100   4.1/s   left 5 s",
        ]


@pytest.mark.parametrize(
    ("done", "total", "seconds", "line"),
    [
        (0, 0, 9.0, "films"),
        (0, 900, 9.0, "films 0/900"),
        (1, 900, 0.1, "films 1/900"),
        (300, 900, 10.0, "films 300/900   30/s   left 20 s"),
        (3, 1_200, 6.0, "films 3/1,200   0.5/s   left 40 min"),
    ],
)
def test_rate_and_time_left_are_told_once_they_are_known(
    done: int, total: int, seconds: float, line: str
) -> None:
    assert progress_line("films", done, total, seconds) == line


def test_a_line_stays_on_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "16")
    stream = Terminal()
    Progress(stream)("abcdefghijklmnopqrst", 1, 900)
    assert stream.getvalue() == "\r\x1b[Kabcdefghijklmno"
