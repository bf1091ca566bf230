"""A walk through one screen of the app: which keys of its actions were pressed, and what each changed."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from textual.pilot import Pilot
from textual.screen import Screen

from cockpit.app import CockpitApp
from cockpit.screens.table import action_groups

GROUPS = action_groups()

Seen = Callable[[], bool]


class Walk:
    """The app on one screen, and the keys (action, key) that have not been pressed yet."""

    def __init__(self, kit: ModuleType, pilot: Pilot[None], group: str) -> None:
        self.kit, self.pilot = kit, pilot
        self.app: CockpitApp = pilot.app  # type: ignore[assignment]
        self._keys = {action.id: action.key.split(",") for action in GROUPS[group]}
        self.left = [(id, key) for id, keys in self._keys.items() for key in keys]

    async def take(self, id: str, seen: Seen) -> None:
        """Press the next key of an action: `seen` was not to be seen before, is afterwards, and the screen differs."""
        fresh = [key for one, key in self.left if one == id]
        key = (fresh or self._keys[id])[0]
        if key == "escape":
            self.app.clear_notifications()  # it would close them first
        before = self.picture()
        assert not seen(), f"{id}: what {key} shall do is to be seen already"
        await self.pilot.press(key)
        await self.until(seen)
        await self.until(lambda: self.picture() != before)
        if fresh:
            self.left.remove((id, key))

    async def refused(self, id: str, why: str) -> None:
        """Press every key of an action that cannot work now."""
        for key in self._keys[id]:
            self.app.clear_notifications()
            await self.pilot.press(key)
            await self.until(self.says(why))

    async def leave(self) -> None:
        """The last key of a walk."""
        await self.pilot.press("q")
        await self.until(lambda: self.app.return_code == 0)
        self.left.remove(("leave", "q"))

    async def press(self, *keys: str) -> None:
        """Keys that this walk is not about."""
        if "escape" in keys:
            self.app.clear_notifications()
        await self.pilot.press(*keys)

    async def until(self, seen: Seen) -> None:
        await self.kit.until(self.pilot, seen)

    async def back(self, key: str = "escape") -> None:
        """Close what lies over the screen."""
        await self.press(key)
        await self.until(lambda: len(self.app.screen_stack) == 1)

    def sees(self, *words: str) -> Seen:
        return lambda: all(one in self.kit.shown(self.app) for one in words)

    def says(self, words: str) -> Seen:
        return lambda: any(words in one for one in self.kit.said(self.app))

    def points(self, words: str) -> Seen:
        """A selected line with these words."""
        return lambda: any("▸ " in row and words in row for row in self.kit.shown(self.app).splitlines())

    def over(self, kind: type[Screen[Any]], *words: str) -> Seen:
        """A screen of this kind with these words lies on top."""
        return lambda: isinstance(self.app.screen, kind) and self.sees(*words)()

    def picture(self) -> list[Any]:
        """What stands on the screen, colours included."""
        return [list(strip) for strip in self.app.screen._compositor.render_strips()]
