"""Textual's renderer: what a widget left behind must not stay for good."""

from __future__ import annotations

from functools import partial

from textual._styles_cache import StylesCache

_colours = partial(StylesCache.get_inner_outer, StylesCache)


def let_go_of_lines() -> None:
    """From now on the lines that a widget had drawn go with it.

    Textual remembers the colours of a line with the widget's cache of lines as part of the key, for a thousand widgets
    (Textualize/textual#6665): every box that was open and every message that passed by would stay with all its lines,
    and each would make every key slower. They depend on the two colours alone.
    """
    setattr(StylesCache, "get_inner_outer", staticmethod(_colours))  # noqa: B010
