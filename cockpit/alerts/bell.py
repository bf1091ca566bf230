"""Telling somebody who looks elsewhere: the bell, and the notification of terminals that have one.

A notification may end in a log of the desktop, so it says no more than the run's name and what kind of thing it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cockpit.alerts.alert import Alert
from cockpit.toolkit.lines import clean

BELL = "\a"
OSC_9 = frozenset({"iTerm.app", "WezTerm", "ghostty", "WarpTerminal"})
"""Values of TERM_PROGRAM (and of LC_TERMINAL, which SSH passes on) whose terminal knows OSC 9."""


def ringing(fresh: Sequence[Alert], run: str, environment: Mapping[str, str]) -> str:
    """What to send to the terminal for new alerts: one bell and at most one notification; empty for none."""
    if not fresh:
        return ""
    kinds = list(dict.fromkeys(alert.kind for alert in fresh))
    return BELL + notification(f"{run}: {', '.join(kinds)}", environment)


def notification(text: str, environment: Mapping[str, str]) -> str:
    """The control sequence for terminals known to have one; others would print it, or beep at it."""
    words = clean(text).replace(";", ",")
    term = environment.get("TERM", "")
    if "TMUX" in environment or term.startswith(("screen", "tmux")):
        return ""  # a multiplexer swallows it; the bell it passes on
    if {environment.get("TERM_PROGRAM"), environment.get("LC_TERMINAL")} & (OSC_9 | {"iTerm2"}):
        return f"\x1b]9;{words}\x1b\\"
    if (
        term.startswith(("foot", "rxvt-unicode", "xterm-kitty", "xterm-ghostty"))
        or "VTE_VERSION" in environment
    ):
        return f"\x1b]777;notify;cxr-cockpit;{words}\x1b\\"
    return ""


def fresh_among(alerts: Sequence[Alert], heard: Collection[str]) -> list[Alert]:
    """Alerts not heard of yet that nobody has acknowledged."""
    return [alert for alert in alerts if alert.open and alert.key not in heard]
