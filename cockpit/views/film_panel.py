"""A film beside a list, where a screen has room for it."""

from __future__ import annotations

from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.graphics.film import PLAIN_VIEW, FilmView, Thumbnail
from cockpit.toolkit.graphics.half_cells import fitted, picture_frame
from cockpit.toolkit.lines import Frame, in_role, wrap

WIDE = 110
"""Columns from which the film stands between the list and the texts."""


def film_columns(film: Thumbnail | str | None, width: int, height: int) -> int:
    """Columns for the film's place; none where no film is wanted."""
    if film is None:
        return 0
    return fitted(film, width, height)[0] if isinstance(film, Thumbnail) else width


def film_frame(
    film: Thumbnail | str | None, width: int, height: int, glyphs: Glyphs, look: FilmView = PLAIN_VIEW
) -> Frame:
    """The film, or why there is none."""
    if isinstance(film, Thumbnail):
        return picture_frame(film, width, height, glyphs, look)
    return in_role(wrap(film or "", width, height, glyphs.ellipsis), "dim")
