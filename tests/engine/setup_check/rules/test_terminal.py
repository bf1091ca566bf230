"""Findings about terminals, from their environment."""

import pytest

from engine.setup_check.finding import Finding
from engine.setup_check.rules.terminal import terminal_findings

GOOD = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "en_US.UTF-8"}


def findings(
    environment: dict[str, str], size: tuple[int, int] | None = (120, 40), **tmux: str
) -> dict[str, Finding]:
    options = {name.replace("_", "-"): value for name, value in tmux.items()}
    return {one.id: one for one in terminal_findings(environment, size, options)}


def test_a_good_terminal() -> None:
    assert {one.status for one in findings(GOOD).values()} == {"ok"}


def test_without_a_terminal_nothing_is_judged() -> None:
    (found,) = findings({}, None).values()
    assert found.status == "ok"


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"TERM": "screen", "COLORTERM": ""}, "colours"),
        ({"TERM": "vt100", "COLORTERM": ""}, "colours"),
        ({"LANG": "C"}, "utf-8"),
        ({"LC_ALL": "POSIX"}, "utf-8"),
    ],
)
def test_what_is_amiss_is_warned_of(changes: dict[str, str], finding: str) -> None:
    assert [one.id for one in findings(GOOD | changes).values() if one.status == "warn"] == [finding]


def test_a_small_terminal() -> None:
    assert findings(GOOD, (60, 20))["terminal-size"].status == "warn"


def test_pictures_where_the_terminal_can_show_them() -> None:
    assert "pictures" in findings(GOOD | {"TERM": "xterm-kitty"})["image-protocol"].title
    assert "half blocks" in findings(GOOD)["image-protocol"].title


def test_ssh_without_tmux() -> None:
    assert findings(GOOD | {"SSH_CONNECTION": "1 2 3 4"})["ssh-without-tmux"].status == "info"
    assert "ssh-without-tmux" not in findings(GOOD | {"SSH_CONNECTION": "1 2 3 4", "TMUX": "/tmp/x"})


def test_tmux_settings_come_with_their_command() -> None:
    found = findings(
        GOOD | {"TMUX": "/tmp/x"},
        default_terminal="screen",
        escape_time="500",
        set_clipboard="external",
    )
    assert found["tmux-default-terminal"].status == "warn"
    assert found["tmux-default-terminal"].fix == (("tmux", "set", "-g", "default-terminal", "tmux-256color"),)
    assert found["tmux-escape-time"].status == "info" and "500 ms" in found["tmux-escape-time"].title
    assert found["tmux-set-clipboard"].status == "info"  # `external` passes nothing on for an application


@pytest.mark.parametrize(("value", "shown"), [("10", {"ok"}), ("", set())])
def test_an_escape_that_comes_at_once(value: str, shown: set[str]) -> None:
    found = findings(GOOD | {"TMUX": "/tmp/x"}, escape_time=value)
    assert {one.status for one in found.values() if one.id == "tmux-escape-time"} == shown
