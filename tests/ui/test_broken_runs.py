"""Run directories that are not what they should be: a message on every screen, and the app lives on."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from types import ModuleType

import pytest

from cockpit.screens.shared.base import RunScreen
from cockpit.screens.shared.help import Help
from engine.runs.layout import RunPaths

KEYS = ("1", "2", "4", "5", "6")


def newer(paths: RunPaths) -> None:
    with closing(sqlite3.connect(paths.db)) as connection:
        connection.execute("PRAGMA user_version = 99")


def half_written(paths: RunPaths) -> None:
    for path in (paths.db.with_name("run.db-wal"), paths.db.with_name("run.db-shm")):
        path.unlink(missing_ok=True)
    content = paths.db.read_bytes()
    paths.db.write_bytes(content[: len(content) // 3])


def emptied(paths: RunPaths) -> None:
    for path in (paths.db, paths.config, paths.log):
        path.write_bytes(b"")


def unreadable_config(paths: RunPaths) -> None:
    paths.config.write_bytes(b"data: [\xff\x00")


def only_a_directory(paths: RunPaths) -> None:
    shutil.rmtree(paths.root)
    paths.root.mkdir()


BREAKS: dict[str, Callable[[RunPaths], None]] = {
    one.__name__: one for one in (newer, half_written, emptied, unreadable_config, only_a_directory)
}


@pytest.mark.parametrize("name", BREAKS)
async def test_every_screen_lives_on_a_broken_run(kit: ModuleType, record, name: str) -> None:
    paths: RunPaths = record()
    BREAKS[name](paths)
    app = kit.app_on_run(paths)
    async with app.run_test(size=(120, 40)) as pilot:
        for key in KEYS:
            await pilot.press(key)
            await kit.until(pilot, lambda: has_looked(app.screen))
            assert "Traceback" not in kit.shown(app)
            if name == "newer" and key in "26":
                words = " ".join(kit.shown(app).split())
                assert "written by a newer one; update cxr-cockpit" in words, words
        await pilot.press("question_mark")
        await kit.until(pilot, lambda: isinstance(app.screen, Help))


async def test_a_run_that_vanishes_while_it_is_shown(kit: ModuleType, record) -> None:
    paths: RunPaths = record()
    app = kit.app_on_run(paths)
    async with app.run_test(size=(120, 40)) as pilot:
        await kit.until(pilot, lambda: "parked" in kit.shown(app))
        shutil.rmtree(paths.root)
        for key in KEYS[1:]:
            await pilot.press(key)
            await kit.until(pilot, lambda: has_looked(app.screen))
            assert "Traceback" not in kit.shown(app)
        await pilot.press("q")


def has_looked(screen: object) -> bool:
    """Whether the screen's thread has read, or failed to, at least once."""
    if not isinstance(screen, RunScreen):
        return False
    return screen.background._last is not None or bool(screen.background._trouble)
