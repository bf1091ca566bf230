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
        assert said.splitlines() == ["writing 40/100   left 15 s", "writing 80/100   left 5 s"]


@pytest.mark.parametrize(
    ("done", "seconds", "line"),
    [
        (10, 5.0, "shards 10/100   left 45 s"),
        (10, 50.0, "shards 10/100   left 8 min"),
        (0, 9.0, "shards 0/100"),
    ],
)
def test_how_long_it_takes_is_told_once_it_is_known(done: int, seconds: float, line: str) -> None:
    assert progress_line("shards", done, 100, seconds) == line
    assert progress_line("shards", 0, 0, seconds) == "shards"
