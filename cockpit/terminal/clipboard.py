"""Copying a text, and saying honestly whether it arrives: a terminal that is sent a text never answers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from shutil import which

PATIENCE = 2.0
"""Seconds that a program may take which keeps the clipboard."""
OFTEN_REFUSED = 74_994
"""Characters from which many terminals refuse what OSC 52 brings, encoded as it is."""

Give = Callable[[Sequence[str], str], bool]
"""Runs a program with the text as its input; whether it ended well."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of the text. sure: it is where `words` say. by_terminal: it is still to be sent to the terminal."""

    sure: bool
    words: str
    by_terminal: bool = False


def copy(text: str, environment: Mapping[str, str], platform: str, give: Give | None = None) -> Copied:
    """Hand the text to the clipboard of this desktop or to tmux; else say what the terminal will make of it."""
    give = give or _give
    if "SSH_CONNECTION" not in environment and "SSH_TTY" not in environment:
        for command in _programs(environment, platform):
            if give(command, text):
                return Copied(True, "copied to the clipboard")
    if "TMUX" in environment:
        return _into_tmux(text, give)
    why_not = _deaf(environment)
    if why_not:
        return Copied(False, f"not copied: {why_not}")
    long = len(text.encode()) * 4 // 3 > OFTEN_REFUSED
    doubt = "many refuse one so long" if long else "it does not say whether it took it"
    return Copied(False, f"sent to the terminal (OSC 52); {doubt}: paste to see", by_terminal=True)


def _programs(environment: Mapping[str, str], platform: str) -> list[list[str]]:
    """What fills the clipboard of the desktop that this is, best first."""
    if platform == "darwin":
        return [["pbcopy"]]
    wayland = [["wl-copy"]] if "WAYLAND_DISPLAY" in environment else []
    x11 = [["xclip", "-selection", "clipboard"], ["xsel", "--clipboard", "--input"]]
    return [*wayland, *(x11 if "DISPLAY" in environment else [])]


def _into_tmux(text: str, give: Give) -> Copied:
    """tmux passes on what programs send only if it is told to, but it has buffers of its own."""
    passed = give(["tmux", "load-buffer", "-w", "-"], text)
    if not passed and not give(["tmux", "load-buffer", "-"], text):
        return Copied(False, "not copied: tmux took nothing")
    forwards = passed and give(["sh", "-c", 'test "$(tmux show-options -gqv set-clipboard)" != off'], "")
    rest = (
        "whether the terminal's clipboard has it, too, shows when you paste"
        if forwards
        else "not in the clipboard: `tmux set -g set-clipboard on` would bring it there"
    )
    return Copied(True, f"copied to tmux's buffer (prefix ] pastes it); {rest}")


def _deaf(environment: Mapping[str, str]) -> str:
    """Why this terminal does nothing with OSC 52, if that is known of it."""
    term = environment.get("TERM", "")
    if environment.get("TERM_PROGRAM") == "Apple_Terminal":
        return "Apple's Terminal takes nothing over the wire"
    if "STY" in environment or term.startswith("screen"):
        return "GNU screen keeps it from the terminal"
    if term in ("linux", "dumb", ""):
        return "this terminal has no clipboard"
    return ""


def _give(command: Sequence[str], text: str) -> bool:
    if which(command[0]) is None:
        return False
    try:
        ended = subprocess.run(
            command,
            input=text.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0
