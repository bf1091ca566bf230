"""The engine's entry: what it says of wrong input."""

import sys

import pytest

from engine import __main__ as entry
from engine.errors import UserError


@pytest.mark.parametrize(
    "error",
    [
        UserError("\x1b]0;owned\x07.png:\nno such image \u202e"),
        OSError(36, "no such image", "\x1b[2J\n" + "x" * 300),
        OSError("no such image"),
    ],
)
def test_a_complaint_is_one_line_that_no_terminal_obeys(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses(_: object) -> int:
        raise error

    monkeypatch.setitem(entry._VERBS, "inspect", refuses)
    monkeypatch.setattr(sys, "argv", ["engine", "inspect", "x"])
    monkeypatch.setattr(entry, "prepare_environment", lambda _: None)
    assert entry.main() == 2
    said = capsys.readouterr().err
    assert said.startswith("cxr-cockpit: ") and "no such image" in said
    assert said.count("\n") == 1 and all(one.isprintable() for one in said[:-1])
