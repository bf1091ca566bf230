"""The engine's entry: what it says of wrong input."""

import io
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


def test_text_that_the_locale_cannot_spell_ends_no_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")

    def prints(_: object) -> int:
        print("≤ 3 GiB")
        return 0

    monkeypatch.setitem(entry._VERBS, "inspect", prints)
    monkeypatch.setattr(sys, "argv", ["engine", "inspect", "x"])
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(entry, "prepare_environment", lambda _: None)
    assert entry.main() == 0
    out.flush()
    assert out.buffer.getvalue() == b"\\u2264 3 GiB\n"
