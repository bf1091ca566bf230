"""Where a text that is copied goes, and what is said of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from cockpit.terminal.clipboard import OFTEN_REFUSED, copy

SSH = {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22", "TERM": "xterm-256color"}


class Programs:
    """Those that there are; remembers what each was given."""

    def __init__(self, *working: str) -> None:
        self.working = working
        self.given: list[tuple[str, str]] = []

    def __call__(self, command: Sequence[str], text: str) -> bool:
        line = " ".join(command)
        if not line.startswith(self.working or "nothing"):
            return False
        self.given.append((line, text))
        return True


@pytest.mark.parametrize(
    ("environment", "platform", "program"),
    [
        ({"TERM": "xterm"}, "darwin", "pbcopy"),
        ({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, "linux", "wl-copy"),
        ({"DISPLAY": ":0"}, "linux", "xclip -selection clipboard"),
        ({"DISPLAY": ":0", "TMUX": "x"}, "linux", "xsel --clipboard --input"),
    ],
)
def test_at_the_desktop_its_own_program_takes_it(
    environment: dict[str, str], platform: str, program: str
) -> None:
    programs = Programs(program)
    copied = copy("effusion", environment, platform, programs)
    assert copied.sure and copied.words == "copied to the clipboard" and not copied.by_terminal
    assert programs.given == [(program, "effusion")]


def test_over_ssh_the_far_machine_s_clipboard_is_left_alone() -> None:
    programs = Programs("pbcopy", "wl-copy", "xclip")
    copied = copy("effusion", SSH | {"DISPLAY": ":10"}, "darwin", programs)
    assert programs.given == [] and copied.by_terminal and not copied.sure
    assert copied.words == "sent to the terminal (OSC 52); it does not say whether it took it: paste to see"


def test_a_text_so_long_that_terminals_refuse_it_is_told() -> None:
    assert "many refuse one so long" in copy("x" * OFTEN_REFUSED, SSH, "linux", Programs()).words


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"TERM": "linux"}, "has no clipboard"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, "Apple's Terminal"),
        ({"TERM": "screen.xterm-256color", "STY": "1.pts-0"}, "GNU screen"),
    ],
)
def test_a_terminal_that_is_known_to_be_deaf_is_sent_nothing(environment: dict[str, str], words: str) -> None:
    copied = copy("effusion", environment, "linux", Programs())
    assert not copied.sure and not copied.by_terminal
    assert copied.words.startswith("not copied: ") and words in copied.words


@pytest.mark.parametrize(
    ("working", "words"),
    [
        (("tmux load-buffer", "sh"), "whether the terminal's clipboard has it, too, shows when you paste"),
        (("tmux load-buffer",), "not in the clipboard: `tmux set -g set-clipboard on` would bring it there"),
        (("tmux load-buffer -",), "tmux's buffer"),
        ((), "not copied: tmux took nothing"),
    ],
)
def test_within_tmux(working: tuple[str, ...], words: str) -> None:
    copied = copy("effusion", SSH | {"TMUX": "/tmp/tmux,1,0", "TERM": "screen"}, "linux", Programs(*working))
    assert words in copied.words and copied.sure == bool(working) and not copied.by_terminal


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not here")
@pytest.mark.parametrize(
    ("setting", "words"), [("off", "not in the clipboard"), ("external", "shows when you paste")]
)
def test_a_real_tmux(tmp_path: Path, setting: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    socket = str(tmp_path / "tmux")
    tmux = ["tmux", "-S", socket, "-f", "/dev/null"]
    subprocess.run([*tmux, "new-session", "-d", "-x", "80", "-y", "24", "sh"], check=True, timeout=20)
    try:
        subprocess.run([*tmux, "set-option", "-g", "set-clipboard", setting], check=True, timeout=20)
        monkeypatch.setenv("TMUX", f"{socket},1,0")
        copied = copy("a −left effusion", {**os.environ, **SSH}, "linux")
        kept = subprocess.run([*tmux, "show-buffer"], capture_output=True, text=True, check=True, timeout=20)
    finally:
        subprocess.run([*tmux, "kill-server"], check=False, timeout=20)
    assert copied.sure and words in copied.words
    assert kept.stdout == "a −left effusion"
