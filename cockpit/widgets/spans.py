"""Sending changed columns alone.

Textual sends a widget's line from the widget's left edge up to the change, which costs three to four times the
bytes of the change itself. Over SSH that is most of what a live screen sends.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, CompositorUpdate


class SpanUpdate(CompositorUpdate):
    """The update with every piece of a line cut to its span on both sides."""

    def __init__(self, whole: ChopsUpdate) -> None:
        self._whole = whole

    def render_segments(self, console: Console) -> str:
        """What the terminal is sent."""
        sequences: list[str] = []
        for y, x1, x2 in self._whole.spans:
            for end, (x, strip) in zip(self._whole.chop_ends[y], self._whole.chops[y].items(), strict=False):
                if strip is None or x >= x2 or end <= x1:
                    continue
                start = max(x, x1)
                sequences.append(Control.move_to(start, y).segment.text)
                sequences.append(strip.crop(start - x, min(end, x2) - x).render(console))
        return "".join(sequences)


def narrowed(update: Any) -> Any:
    """The compositor's update without what need not be sent; others than partial ones as they are."""
    return SpanUpdate(update) if isinstance(update, ChopsUpdate) else update
