"""How the app shows radiographs in this terminal: asked once, before the app starts and reads the keyboard.

Half cells work everywhere. Kitty's protocol and sixel are used where the terminal has proved them by its answer.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import sys
import termios
import time
import tty
from collections.abc import Mapping
from dataclasses import dataclass

from engine.errors import UserError

WAYS = ("auto", "half", "kitty", "sixel", "none")
PROBE_SECONDS = 0.15
USUAL_CELL = (10, 20)
"""Pixels of a cell, where the terminal does not tell."""

_QUERY = b"\x1b[>0q" + b"\x1b[16t" + b"\x1b[c"
"""The terminal's name, the cell size, and last what every terminal answers: its attributes. All of it is passed over
in silence where it is not known."""
_KITTY_QUERY = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\" + b"\x1b[c"
"""A picture for kitty's protocol to judge. tmux and screen take it for the title of their pane."""
_NAME = re.compile(rb"\x1bP>\|([^\x1b]*)\x1b\\")
_MULTIPLEXERS = (b"tmux", b"screen", b"zellij")
_KITTY_WORKS = re.compile(rb"\x1b_Gi=31;OK\x1b\\")
_CELL = re.compile(rb"\x1b\[6;(\d+);(\d+)t")
_ATTRIBUTES = re.compile(rb"\x1b\[\?([\d;]+)c")
_SIXEL = b"4"


@dataclass(frozen=True, slots=True)
class Graphics:
    """`way` is "half", "kitty", "sixel" or "none"; `cell` is a cell's width and height in pixels."""

    way: str
    cell: tuple[int, int] = USUAL_CELL


def choose_graphics(wanted: str, ascii: bool, environment: Mapping[str, str]) -> Graphics:
    """What `--images` asks for, or with "auto" the best that the terminal proves.

    Raises UserError for a way that is not known, or that cannot work here.
    """
    if wanted not in WAYS:
        raise UserError(f"images {wanted!r} cannot be shown: choose from {', '.join(WAYS)}")
    if wanted in ("half", "none"):
        return Graphics(wanted)
    plain = ascii or bool(environment.get("NO_COLOR")) or _few_colours(environment)
    if wanted == "kitty" and _in_multiplexer(environment):
        raise UserError("kitty's pictures do not pass tmux, screen or zellij: take auto, half or sixel there")
    if wanted == "kitty" and plain:
        raise UserError("kitty's pictures are placed by colour: not with NO_COLOR, --ascii or 16 colours")
    if wanted == "auto" and plain:
        return Graphics("half")
    if wanted != "auto":
        return Graphics(wanted, cell_of_window() or USUAL_CELL)
    answer = ask_terminal(PROBE_SECONDS)
    return Graphics(proved(answer), cell_in(answer) or cell_of_window() or USUAL_CELL)


def _few_colours(environment: Mapping[str, str]) -> bool:
    """Whether the app will use no more than 16 colours, which are too few to number pictures."""
    if environment.get("COLORTERM", "") in ("truecolor", "24bit"):
        return False
    term = environment.get("TERM", "")
    return "256" not in term and term != "xterm-kitty"


def _in_multiplexer(environment: Mapping[str, str]) -> bool:
    """Whether the environment says so: over SSH from inside of one only TERM does."""
    named = any(environment.get(name) for name in ("TMUX", "STY", "ZELLIJ"))
    return named or environment.get("TERM", "").startswith(("screen", "tmux"))


def may_know_kitty(answer: bytes) -> bool:
    """Whether the terminal has told its name, as all do that show kitty's pictures, and is no multiplexer.

    Only such a one is asked further: another may print what it does not know, or make a title of it.
    """
    name = _NAME.search(answer)
    return name is not None and not name[1].lower().startswith(_MULTIPLEXERS)


def proved(answer: bytes) -> str:
    """The best way that the terminal's answer proves."""
    if _KITTY_WORKS.search(answer):
        return "kitty"
    attributes = _ATTRIBUTES.search(answer)
    return "sixel" if attributes and _SIXEL in attributes[1].split(b";")[1:] else "half"


def cell_in(answer: bytes) -> tuple[int, int] | None:
    """(width, height) of a cell as the terminal told it."""
    told = _CELL.search(answer)
    return (int(told[2]), int(told[1])) if told and int(told[1]) and int(told[2]) else None


def cell_of_window() -> tuple[int, int] | None:
    """(width, height) of a cell from the window's size in pixels, where the terminal sets it."""
    try:
        size = fcntl.ioctl(sys.__stdout__ or 1, termios.TIOCGWINSZ, b"\0" * 8)
    except (OSError, ValueError):
        return None
    rows, columns, width, height = struct.unpack("HHHH", size)
    return (width // columns, height // rows) if width and height and columns and rows else None


def ask_terminal(seconds: float) -> bytes:
    """The answer of the terminal that this process belongs to; nothing if it has none."""
    try:
        descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return b""
    try:
        return ask(descriptor, seconds)
    except (OSError, termios.error):
        return b""
    finally:
        os.close(descriptor)


def ask(descriptor: int, seconds: float) -> bytes:
    """The terminal's answers, as far as each comes in that time; what was typed meanwhile is lost.

    What comes too late is thrown away by `forget_late_answers`, before it could be taken for keys.
    """
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor, termios.TCSANOW)
        os.write(descriptor, _QUERY)
        answer = _read_answer(descriptor, time.monotonic() + seconds)
        if may_know_kitty(answer):
            os.write(descriptor, _KITTY_QUERY)
            answer += _read_answer(descriptor, time.monotonic() + seconds)
        return answer
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


def forget_late_answers() -> None:
    """Throw away what waits to be read, just before the app reads keys."""
    try:
        termios.tcflush(sys.__stdin__ or 0, termios.TCIFLUSH)
    except (OSError, termios.error, ValueError):
        return


def _read_answer(descriptor: int, deadline: float) -> bytes:
    answer = b""
    while not _ATTRIBUTES.search(answer):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            break
        answer += os.read(descriptor, 4096)
    return answer
