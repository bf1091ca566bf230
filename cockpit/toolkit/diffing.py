"""`DiffingWidget`: a widget that keeps what it shows and sends only the cells that changed.

Textual sends the whole region of a widget that was refreshed. Over SSH that decides whether a live screen is
pleasant, so a `DiffingWidget` compares each new frame with the one on the screen, cell by cell, and refreshes the
changed spans alone; `cockpit.textual_internals` sees to it that no more than these are sent.
"""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.app import RenderResult
from textual.events import Click
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from cockpit.toolkit.key_clicks import key_at
from cockpit.toolkit.lines import BLANK, Cell, Frame, Paint, cells, changed_spans
from cockpit.toolkit.theme import palette


class DiffingWidget(Widget):
    """Base of the cockpit's widgets: `frame` says what to show, `redraw` brings it to the screen."""

    DEFAULT_CSS = "DiffingWidget { height: 1; width: 1fr; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._rows: list[list[Cell]] = []
        self._strips: list[Strip] = []

    def frame(self, width: int, height: int) -> Frame:
        """What to show in `width` × `height` cells; longer or more lines than that are cut."""
        raise NotImplementedError

    def redraw(self) -> list[Region]:
        """Draw again and refresh what differs from the screen. Returns the refreshed regions."""
        width, height = self.size
        if width < 1 or height < 1:
            return []
        lines = self.frame(width, height)[:height]
        rows = [cells(line, width) for line in lines]
        rows.extend([BLANK] * width for _ in range(height - len(rows)))
        if len(rows) != len(self._rows) or (rows and len(rows[0]) != len(self._rows[0])):
            self._rows = rows
            self._strips = [self._strip(row) for row in rows]
            self.refresh()
            return [Region(0, 0, width, height)]
        regions: list[Region] = []
        for y, (old, new) in enumerate(zip(self._rows, rows, strict=True)):
            if old == new:
                continue
            self._strips[y] = self._strip(new)
            regions.extend(Region(start, y, end - start, 1) for start, end in changed_spans(old, new))
        self._rows = rows
        if regions:
            self.refresh(*regions)
        return regions

    def repaint(self) -> None:
        """Forget what is on the screen and draw everything, as a change of theme needs."""
        self._rows = []
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def on_click(self, event: Click) -> None:
        """A key that is shown can be pressed."""
        key = key_at(self._rows[event.y], event.x) if 0 <= event.y < len(self._rows) else None
        if key is not None:
            self.app.simulate_key(key)

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.repaint())

    def on_unmount(self) -> None:
        # the signal holds its callbacks: this widget, and with it a screen that was closed, would stay for good
        self.app.theme_changed_signal.unsubscribe(self)

    def render(self) -> RenderResult:
        return ""

    def render_line(self, y: int) -> Strip:
        # With a style, even if it has none: the filter of NO_COLOR ends the app over a stretch without one.
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, Style())

    def _strip(self, row: list[Cell]) -> Strip:
        """The row's cells as one segment a run of equal paint."""
        styles = palette(self.app)
        paper = Style(bgcolor=self.background_colors[1].rich_color)
        segments: list[Segment] = []
        text = ""
        current: Paint = "text"
        for char, paint in row:
            if text and paint != current:
                segments.append(Segment(text, paper + _style(current, styles)))
                text = ""
            current = paint
            text += char
        if text:
            segments.append(Segment(text, paper + _style(current, styles)))
        return Strip(segments, len(row))


def _style(paint: Paint, styles: dict[str, Style]) -> Style:
    return styles[paint] if isinstance(paint, str) else paint
