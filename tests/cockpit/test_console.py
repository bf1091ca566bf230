"""What long work says of itself."""

import pytest

from cockpit.commands.console import progress_line


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
