"""The Log screen, and the reading of a log that grows."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import cast

import pytest

from cockpit.screens.log import actions as keys
from cockpit.screens.log import log_file
from cockpit.screens.log.board import log_frame
from cockpit.screens.log.log_file import LogFile
from cockpit.screens.log.screen import Log
from cockpit.screens.log.source import LogSource
from cockpit.screens.log.state import LEVELS, LogLine, LogState
from cockpit.toolkit.glyphs import ASCII, UNICODE
from cockpit.toolkit.lines import Frame, width_of
from cockpit.views.run_summary import RunSummary
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock
from engine.runs.store.opening import open_writer

CRASH = """2026-11-23 02:14:07 ERROR   the engine failed
Traceback (most recent call last):
  File "loop.py", line 88, in step
RuntimeError: MPS backend out of memory (allocated: 70.1 GB)
"""


def info(number: int) -> str:
    return f"2026-11-23 02:{number // 60 % 60:02d}:{number % 60:02d} INFO    step {number}\n"


def text(frame: Frame) -> str:
    return "\n".join("".join(part for part, _ in line) for line in frame)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "training.log"


def test_lines_are_found_as_they_come(path: Path) -> None:
    log = LogFile(path)
    assert not log.refresh() and log.count == 0
    path.write_text("one\ntwo\nthr")
    assert log.refresh() and log.lines(0, log.count) == [b"one", b"two", b"thr"]
    with path.open("a") as file:
        file.write("ee\nfour\n")
    assert log.refresh() and log.lines(0, log.count) == [b"one", b"two", b"three", b"four"]
    assert not log.refresh()


def test_a_file_that_was_replaced_or_vanished_is_read_anew(path: Path) -> None:
    path.write_text("one\ntwo\n")
    log = LogFile(path)
    log.refresh()
    path.write_text("1\n")
    assert log.refresh() and log.lines(0, log.count) == [b"1"]
    path.unlink()
    assert log.refresh() and log.count == 0


def test_of_a_long_log_the_end_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "MOST_BYTES", 25)
    path.write_text("".join(f"line {number}\n" for number in range(10)))
    log = LogFile(path)
    log.refresh()
    assert log.lines(0, log.count) == [b"line 7", b"line 8", b"line 9"] and log.left_out == 49


def test_lines_are_matched_across_pieces(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import re

    monkeypatch.setattr(log_file, "CHUNK", 20)
    path.write_text("".join(info(number) for number in range(40)))
    log = LogFile(path)
    log.refresh()
    assert log.count == 40
    assert list(log.matching(re.compile(rb"step \d?7$"))) == [7, 17, 27, 37]
    assert list(log.matching(re.compile(rb"step \d?7$"), 18)) == [27, 37]


def test_errors_and_levels(path: Path) -> None:
    path.write_text(
        info(1) + "x.py:3: UserWarning: old\n  warnings.warn(\n" + CRASH + "=== attempt 2 ===\n" + info(9)
    )
    log = LogFile(path)
    log.refresh()
    assert list(log.errors) == [3, 6]
    levels = [log.level_of(number) for number in range(log.count)]
    assert levels == ["info", "warning", "warning", *["error"] * 4, "info", "info"]
    assert log.error_after(3) == 6 and log.error_after(6) is None and log.error_before(6) == 3


def test_an_error_written_in_two_pieces_counts_once(path: Path) -> None:
    path.write_text("RuntimeError: out of")
    log = LogFile(path)
    log.refresh()
    with path.open("a") as file:
        file.write(" memory\n")
    log.refresh()
    assert list(log.errors) == [0] and log.line(0) == b"RuntimeError: out of memory"


@pytest.fixture
def crashed(record) -> RunPaths:
    paths: RunPaths = record(end=None)
    paths.log.write_text("=== attempt 1 ===\n" + "".join(info(number) for number in range(100)) + CRASH)
    return paths


def test_a_crashed_run_opens_on_the_telling_line(crashed: RunPaths) -> None:
    source = LogSource(crashed)
    source.resize(10)
    state = source.read()
    assert state.line and state.line.text.startswith("RuntimeError") and not state.following
    assert "out of memory" in state.error and "smaller batch_size" in state.advice


def test_a_living_run_is_followed_until_somebody_moves(crashed: RunPaths) -> None:
    with EngineLock.take(crashed), open_writer(crashed) as writer:
        writer.state("training")
        source = LogSource(crashed)
        source.resize(10)
        assert source.read().following
        with crashed.log.open("a") as file:
            file.write("last\n")
        assert source.read().lines[-1].text == "last"
        source.move(-3)
        held = source.read()
        with crashed.log.open("a") as file:
            file.write("later\n")
        assert source.read().lines == held.lines and not held.following
        source.follow()
        assert source.read().lines[-1].text == "later"


def test_filters_keep_up_with_the_log(crashed: RunPaths) -> None:
    source = LogSource(crashed)
    source.resize(10)
    source.read()
    source.choose("STEP 9", LEVELS[0])
    assert source.read().total == 11
    with crashed.log.open("a") as file:
        file.write(info(999))
    assert source.read().total == 12
    source.choose("", LEVELS[2])
    assert [line.text.split()[0] for line in source.read().lines] == ["2026-11-23", "RuntimeError:"]


def test_jumping_to_an_error_leaves_a_filter_that_hides_it(crashed: RunPaths) -> None:
    source = LogSource(crashed)
    source.resize(10)
    source.read()
    source.choose("step 5", LEVELS[0])
    assert source.next_error()
    state = source.read()
    assert state.line and "ERROR" in state.line.text and not state.filtered


@pytest.mark.parametrize("size", [(60, 16), (80, 20), (120, 36), (6, 2)])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_the_board_fits_and_obeys_nothing(size: tuple[int, int], glyphs) -> None:
    lines = tuple(
        LogLine(line, "info") for line in ("[red]\x1b[31mx", "2026-11-23 02:14:07 INFO    " + "y" * 300)
    )
    for state in (
        LogState(RunSummary("n")),
        LogState(RunSummary("n"), lines, total=2, every=2, error="\x1b]0;boom\x07 " * 30, following=False),
    ):
        frame = log_frame(state, *size, glyphs)
        assert "\x1b" not in text(frame) and "\x07" not in text(frame)
        if size[0] >= 60:
            assert all(width_of(line) <= size[0] for line in frame)


async def test_a_crash_is_explained_above_the_log(kit: ModuleType, crashed: RunPaths) -> None:
    app = kit.app_on_run(crashed)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        await kit.until(pilot, lambda: "The memory that the GPU may use was not enough" in kit.shown(app))
        await kit.until(pilot, lambda: "▸ RuntimeError: MPS backend out of memory" in kit.shown(app))
        await pilot.press("N")
        await kit.until(pilot, lambda: "▸ 02:14:07 ERROR" in kit.shown(app))
        await pilot.press("N")
        await kit.until(pilot, lambda: "no error above this line" in kit.said(app))


async def test_keys_filter_move_and_back_out(kit: ModuleType, crashed: RunPaths) -> None:
    app = kit.app_on_run(crashed)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("6")
        await kit.until(pilot, lambda: isinstance(app.screen, Log) and app.screen.state is not None)
        screen = app.screen
        await pilot.press("slash", *"step 1", "enter")
        await kit.until(pilot, lambda: screen.state.total == 11 and "11 of 105 lines" in kit.shown(app))
        app.clear_notifications()
        await pilot.press("escape")
        await kit.until(pilot, lambda: screen.state.total == 105)
        await pilot.press("g")
        await kit.until(pilot, lambda: "▸ === attempt 1" in kit.shown(app))
        await pilot.press("j", "space", "enter")
        await kit.until(pilot, lambda: "training.log" in kit.shown(app) and "esc back" in kit.shown(app))
        app.clear_notifications()
        await pilot.press("escape", "f")
        await kit.until(pilot, lambda: "follows" in kit.shown(app))
        await pilot.press("f")
        assert "already following the end" in kit.said(app)
        await pilot.press("l")
        await kit.until(pilot, lambda: "warnings and errors" in kit.shown(app))
        app.clear_notifications()
        await pilot.press("escape", "escape")
        await kit.until(pilot, lambda: "newest report" in kit.shown(app))


async def test_a_log_that_is_not_there_is_no_trouble(kit: ModuleType, record) -> None:
    app = kit.app_on_run(record())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        await kit.until(pilot, lambda: "nothing written yet" in kit.shown(app))
        await pilot.press("n")
        assert "there is no error in the log" in kit.said(app)


def test_a_long_log_is_read_whole(path: Path) -> None:
    path.write_bytes((info(1) * 1000 + CRASH).encode() * 200)
    log = LogFile(path)
    log.refresh()
    assert log.count == 200_800


async def test_every_key_may_come_before_the_first_lines(kit: ModuleType, crashed: RunPaths) -> None:
    app = kit.app_on_run(crashed)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        await kit.until(pilot, lambda: isinstance(app.screen, Log))
        log = cast(Log, app.screen)
        log.state = None
        for action in (keys.LEVEL, keys.READ, keys.NEXT_ERROR, keys.FOLLOW):
            log.carry_out(action)
