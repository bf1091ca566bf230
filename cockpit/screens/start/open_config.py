"""Asks for a configuration file: those that are known are listed, and any path is completed."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.widgets import Input

from cockpit.actions.keymap import keymap_path
from cockpit.toolkit.lines import Frame, clean
from cockpit.toolkit.modals.prompt import Prompt
from cockpit.toolkit.panels import LinesView
from engine.errors import UserError
from engine.paths import expanded

SHOWN = 10
"""Configurations that are listed at most; what is typed narrows them."""
ENDINGS = (".yaml", ".yml")


def known_configs(shipped: Path) -> list[str]:
    """The user's own, here and in their configuration directory, then those that come along."""
    own = keymap_path().parent / "configs"
    places = (Path("configs"), Path(), own, shipped)
    found: dict[Path, str] = {}
    for place in places:
        for name in sorted(os.listdir(place) if place.is_dir() else ()):
            path = place / name
            if name.endswith(ENDINGS) and not name.startswith(".") and path.is_file():
                found.setdefault(path.resolve(), str(path))
    return list(found.values())


def completions(typed: str, known: Iterable[str]) -> list[str]:
    """What `typed` may become: known ones that begin with it or hold it, else what lies there on disk."""
    known = list(known)
    begin = [one for one in known if one.startswith(typed)]
    if begin or not typed:
        return begin
    try:
        directory = expanded(os.path.dirname(typed) or ".")
        names = sorted(os.listdir(directory)) if directory.is_dir() else []
    except (OSError, UserError, ValueError):
        names = []
    head, stem = typed[: len(typed) - len(os.path.basename(typed))], os.path.basename(typed)
    on_disk = [
        f"{head}{name}{os.sep if (directory / name).is_dir() else ''}"
        for name in names
        if name.startswith(stem) and ((directory / name).is_dir() or name.endswith(ENDINGS))
    ]
    return on_disk or [one for one in known if typed in one]


def completed(typed: str, wanted: Sequence[str]) -> str:
    """As much as all of them have in common; never less than was typed."""
    if len(wanted) == 1:
        return wanted[0]
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*wanted, strict=False))
    common = "".join(letters[0] for letters in alike)
    return common if common.startswith(typed) else typed


class OpenConfig(Prompt):
    """Tab completes, arrows choose, and a path without a file stays to be mended."""

    BINDINGS: ClassVar[list[BindingType]] = [("tab", "complete"), ("down", "walk(1)"), ("up", "walk(-1)")]

    def __init__(self, known: Sequence[str], preset: str = "") -> None:
        super().__init__("Configuration file", preset, refuse=_refusal)
        self._known = known
        self._walked: tuple[list[str], int] | None = None

    def heading(self) -> Frame:
        keys = "   enter starts, tab and arrows choose, esc back"
        found = completions(self._text, self._known)
        listed: Frame = [[(f"  {clean(one)}", "text")] for one in found[:SHOWN]]
        if len(found) > SHOWN:
            listed.append([(f"  and {len(found) - SHOWN} more", "dim")])
        return [[(self._question, "strong"), (keys, "dim")], *(listed or [[("  none begins so", "dim")]]), []]

    @on(Input.Changed)
    def _listed_anew(self, event: Input.Changed) -> None:
        if self._walked is None or event.value != self._walked[0][self._walked[1]]:
            self._walked = None
            self._text = event.value
            self.query_one(LinesView).show(self.heading())

    def action_complete(self) -> None:
        found = completions(self._text, self._known)
        if found:
            self._write(completed(self._text, found))
        else:
            self.app.notify("nothing begins like this", severity="warning")

    def action_walk(self, by: int) -> None:
        found, at = self._walked or (completions(self._text, self._known), -1 if by > 0 else 0)
        if found:
            at = (at + by) % len(found)
            self._walked = found, at
            self._write(found[at])

    def _write(self, text: str) -> None:
        for field in self.query(Input):
            field.value = text
            field.cursor_position = len(text)


def _refusal(text: str) -> str:
    return "" if expanded(text).is_file() else f"no file {clean(text)}"
