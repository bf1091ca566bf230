"""Findings about the terminal that the cockpit is shown in, from the environment and from tmux itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping

from engine.setup_check.finding import SEEN, Finding, Status

SMALLEST = (80, 24)
LONGEST_ESCAPE = 100  # ms
_KITTY = ("kitty", "ghostty", "wezterm", "konsole")


def terminal_findings(
    environment: Mapping[str, str], size: tuple[int, int] | None, tmux: Mapping[str, str] | None = None
) -> Iterator[Finding]:
    """`size` is (columns, lines), None where there is no terminal; `tmux` are the options of a tmux around it."""
    if size is None:
        yield _finding(
            "terminal", "ok", "No terminal here: the app is not judged", "output is not a terminal"
        )
        return
    yield _colours(environment)
    yield _characters(environment)
    small = size[0] < SMALLEST[0] or size[1] < SMALLEST[1]
    yield _finding(
        "terminal-size",
        "warn" if small else "ok",
        f"The terminal has {size[0]} columns and {size[1]} lines",
        f"{size[0]}x{size[1]}",
        f"{SMALLEST[0]}x{SMALLEST[1]} or more",
        "The app leaves out what does not fit." if small else "",
    )
    yield _images(environment)
    if environment.get("TMUX"):
        yield from _tmux(tmux or {})
    elif environment.get("SSH_CONNECTION"):
        yield _finding(
            "ssh-without-tmux",
            "info",
            "The app would end with this SSH connection",
            "SSH without tmux",
            "tmux",
            "The engine goes on either way; inside tmux the app does, too.",
        )


def look_at_terminal() -> Iterator[Finding]:
    """The same for the terminal at hand, and whether logging out ends what runs."""
    size: tuple[int, int] | None
    try:
        size = tuple(os.get_terminal_size(2))  # type: ignore[assignment]
    except OSError:
        size = None
    yield from terminal_findings(os.environ, size, _tmux_options() if os.environ.get("TMUX") else None)
    yield from _logout()


def _colours(environment: Mapping[str, str]) -> Finding:
    true = environment.get("COLORTERM", "").lower() in ("truecolor", "24bit")
    term = environment.get("TERM", "")
    many = true or "256" in term or term.startswith(("xterm-kitty", "xterm-ghostty", "alacritty"))
    return _finding(
        "colours",
        "ok" if many else "warn",
        "The terminal shows many colours" if many else "The terminal announces 16 colours at most",
        f"TERM={term or 'unset'} COLORTERM={environment.get('COLORTERM', 'unset')}",
        "TERM with 256color, or COLORTERM=truecolor",
        "" if many else "X-rays in half blocks need shades of grey.",
    )


def _characters(environment: Mapping[str, str]) -> Finding:
    name = next((v for v in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(v)), "LANG")
    value = environment.get(name, "")
    good = "utf-8" in value.lower() or "utf8" in value.lower()
    return _finding(
        "utf-8",
        "ok" if good else "warn",
        "The terminal's characters are UTF-8" if good else "The locale is not UTF-8",
        f"{name}={value or 'unset'}",
        "a locale with UTF-8, such as C.UTF-8",
        ""
        if good
        else "Lines and blocks would be shown as question marks; `cxr-cockpit --ascii` does without.",
    )


def _images(environment: Mapping[str, str]) -> Finding:
    words = " ".join(environment.get(v, "") for v in ("TERM", "TERM_PROGRAM")).lower()
    kitty = any(name in words for name in _KITTY) or "KITTY_WINDOW_ID" in environment
    return _finding(
        "image-protocol",
        "ok",
        "X-rays are shown as pictures" if kitty else "X-rays are shown in half blocks",
        environment.get("TERM_PROGRAM") or environment.get("TERM", "unknown terminal"),
        "kitty, Ghostty or WezTerm for pictures",
    )


def _tmux(options: Mapping[str, str]) -> Iterator[Finding]:
    wanted = (
        ("default-terminal", ("tmux-256color", "screen-256color"), "With `screen` the app has 16 colours."),
        ("set-clipboard", ("on",), "What the app copies does not reach the clipboard."),
    )
    for name, good, why in wanted:
        value = options.get(name)
        if value is None:
            continue
        well = value in good or (name == "default-terminal" and "256color" in value)
        yield _finding(
            f"tmux-{name}",
            "ok" if well else "warn" if name == "default-terminal" else "info",
            f"tmux: {name} is {value}",
            value,
            " or ".join(good),
            "" if well else why,
            () if well else (("tmux", "set", "-g", name, good[0]),),
        )
    yield from _escape_time(options.get("escape-time", ""))


def _escape_time(value: str) -> Iterator[Finding]:
    """How long tmux holds an escape back, to see whether it begins another key."""
    if not value.isdigit():
        return
    slow = int(value) > LONGEST_ESCAPE
    yield _finding(
        "tmux-escape-time",
        "info" if slow else "ok",
        f"tmux: escape-time is {value} ms",
        value,
        f"{LONGEST_ESCAPE} or less",
        "The escape key reaches the app that much later." if slow else "",
        (("tmux", "set", "-s", "escape-time", "25"),) if slow else (),
    )


def _tmux_options() -> dict[str, str]:
    lines = (_said("tmux", "show-options", "-g") + "\n" + _said("tmux", "show-options", "-s")).splitlines()
    pairs = (line.partition(" ") for line in lines)
    return {name: value.strip('"') for name, _, value in pairs if name}


def _logout() -> Iterator[Finding]:
    if shutil.which("loginctl") is None:
        return
    kills = _said("loginctl", "show-session", "self", "-p", "KillUserProcesses") or _said(
        "busctl", "get-property", "org.freedesktop.login1", "/org/freedesktop/login1",
        "org.freedesktop.login1.Manager", "KillUserProcesses",
    )  # fmt: skip
    if "yes" in kills or "true" in kills:
        yield _finding(
            "logout-kills",
            "warn",
            "Logging out ends every process here, engines and tmux included",
            "KillUserProcesses=yes",
            "lingering switched on",
            "systemd-logind is set to kill what a session leaves behind.",
            (("loginctl", "enable-linger"),),
        )


def _said(*command: str) -> str:
    try:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=3, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""


def _finding(
    finding_id: str,
    status: Status,
    title: str,
    found: str = "",
    expected: str = "",
    why: str = "",
    fix: tuple[tuple[str, ...], ...] = (),
) -> Finding:
    return Finding(
        finding_id, "terminal", status, title, found=found, expected=expected, why=why, fix=fix, source=SEEN
    )
