"""Which part of the steps the full-screen chart shows, and where its crosshair stands: pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, replace

CLOSEST = 10.0
"""Steps that fill the chart at the closest."""
AHEAD = 0.25
"""Share of the window that is kept free for what comes while the newest step is followed."""


@dataclass(frozen=True, slots=True)
class Window:
    """From `first` to `last` of `total` steps over all stages, the crosshair at `cursor` among them.

    One that follows moves on with the newest step.
    """

    total: float
    first: float
    last: float
    cursor: float
    follows: bool = False

    @classmethod
    def whole(cls, total: float, cursor: float) -> Window:
        """All steps."""
        return cls(total, 0.0, total, min(max(cursor, 0.0), total))

    @property
    def extent(self) -> float:
        return self.last - self.first

    def scaled(self, by: float) -> Window:
        """So many times as many steps, the crosshair's step staying where it is on the screen."""
        extent = min(max(self.extent * by, min(CLOSEST, self.total)), self.total)
        share = (self.cursor - self.first) / self.extent if self.extent else 0.5
        return self._at(self.cursor - share * extent, extent)

    def panned(self, share: float) -> Window:
        """Moved by a share of itself, the crosshair with it."""
        moved = self._at(self.first + share * self.extent, self.extent)
        return replace(moved, cursor=moved.first + (self.cursor - self.first))

    def pointed(self, columns: int, width: int) -> Window:
        """The crosshair moved by columns of a chart of `width`; at the edge the window moves along."""
        column = self.extent / max(1, width - 1)
        cursor = min(max(self.cursor + columns * column, 0.0), self.total)
        first = self.first + min(0.0, cursor - self.first) + max(0.0, cursor - self.last)
        return replace(self._at(first, self.extent), cursor=cursor)

    def at_start(self) -> Window:
        """The first step."""
        return replace(self._at(0.0, self.extent), cursor=0.0)

    def at_end(self, newest: float) -> Window:
        """The newest step, from now on followed."""
        return replace(self, cursor=newest, follows=True).grown(newest)

    def grown(self, newest: float, total: float | None = None) -> Window:
        """What becomes of it when a step has come, or the route has another length."""
        if total is not None and total != self.total:
            whole = self.extent >= self.total
            resized = (
                replace(self, total=total, first=0.0, last=total) if whole else replace(self, total=total)
            )
            return resized.grown(newest)
        if not self.follows:
            return self
        if self.first <= newest <= self.last:
            return replace(self, cursor=newest)
        moved = self._at(newest - (1 - AHEAD) * self.extent, self.extent)
        return replace(moved, cursor=newest, follows=True)

    def _at(self, first: float, extent: float) -> Window:
        first = min(max(first, 0.0), max(0.0, self.total - extent))
        return replace(self, first=first, last=min(first + extent, self.total), follows=False)
