"""`LinesView`: given lines, as high as they are."""

from __future__ import annotations

from textual.geometry import Size

from cockpit.toolkit.diffing import DiffingWidget
from cockpit.toolkit.lines import Frame


class LinesView(DiffingWidget):
    """Shows a frame that does not depend on its size."""

    DEFAULT_CSS = "LinesView { height: auto; }"

    def __init__(self, lines: Frame, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines = lines

    def show(self, lines: Frame) -> None:
        same_height = len(lines) == len(self._lines)
        self._lines = lines
        if same_height:
            self.redraw()
        else:
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines)

    def frame(self, width: int, height: int) -> Frame:
        return self._lines
