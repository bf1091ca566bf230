"""What the title of the terminal says of a run."""

from __future__ import annotations

import io

import pytest

from cockpit.run_title import title_of
from cockpit.terminal.title import KEEP, PUT_BACK, has_title, setting, title_kept
from engine.runs.status import Status


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (Status("demo", "training", stage="stage_b", step=921, steps=1664), "demo B 921/1664 55 %"),
        (
            Status("demo", "training", stalled=True, stage="stage_b", step=921, steps=1664),
            "demo B 921/1664 55 % stalled",
        ),
        (Status("demo", "holding", stage="stage_a", step=3), "demo A 3 holding"),
        (Status("demo", "preparing"), "demo preparing"),
        (Status("demo", "finished", stage="stage_b", step=1664, steps=1664), "demo finished"),
        (Status("x\x1b]2;\x07y\n", "parked"), "x\ufffd]2;\ufffdy parked"),
    ],
)
def test_which_run_and_how_far(status: Status, title: str) -> None:
    assert title_of(status) == title


def test_nothing_in_a_title_is_obeyed() -> None:
    assert setting("a\x1b\\b\x07\n\x9cc") == "\x1b]2;a\ufffd\\b\ufffd\ufffdc\x1b\\".replace(
        "\ufffd\ufffdc", "\ufffd \ufffdc"
    )


def test_the_title_before_is_put_back_also_after_a_mistake() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyError), title_kept(stream):
        raise KeyError
    assert stream.getvalue() == KEEP + PUT_BACK


@pytest.mark.parametrize(("term", "has"), [("xterm-256color", True), ("linux", False), ("dumb", False)])
def test_consoles_without_a_title_are_sent_none(term: str, has: bool) -> None:
    assert has_title({"TERM": term}) is has
