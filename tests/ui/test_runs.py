"""The Runs screen on recorded runs, and the pure functions behind it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from cockpit.cli import main
from cockpit.screens.runs import actions as keys
from cockpit.screens.runs.changes import delete, differences, rename
from cockpit.screens.runs.overlay import OverlayData, aligned, overlay_frame
from cockpit.screens.runs.runs_table import age_words, runs_frame
from cockpit.screens.runs.screen import Runs, deletion_question, is_little
from cockpit.screens.runs.source import RunsSource, flown_seconds
from cockpit.screens.runs.state import RunCurves, RunRow, RunsState, RunsView
from cockpit.screens.start.screen import Start
from cockpit.toolkit.charts.curves import StageCurve
from cockpit.toolkit.figures import size_words
from cockpit.toolkit.glyphs import ASCII, UNICODE
from cockpit.toolkit.lines import Frame, width_of
from cockpit.toolkit.modals.confirm import Confirm
from cockpit.toolkit.modals.prompt import Prompt
from cockpit.views.run_summary import RunSummary
from engine.errors import UserError
from engine.runs.layout import RunPaths, list_runs
from engine.runs.lock import EngineLock
from engine.runs.store.opening import open_reader
from engine.runs.store.rows import Bucket, Event


def text(frame: Frame) -> str:
    return "\n".join("".join(part for part, _ in line) for line in frame)


def state_event(attempt: int, wall: float, name: str) -> Event:
    return Event(0, attempt, wall, "state", "info", None, None, name, "", {})


@pytest.fixture
def two(record) -> tuple[RunPaths, RunPaths]:
    """`first` was parked, `second` has crashed and was told another rank."""
    first, second = record("first"), record("second", end=None)
    for paths, rank in ((first, 16), (second, 32)):
        config = yaml.safe_load(paths.config.read_text()) | {"lora": {"rank": rank, "alpha": 32}}
        paths.config.write_text(yaml.safe_dump(config))
    os.utime(first.db, (2e9, 2e9))  # written last
    return first, second


def source_on(paths: RunPaths) -> RunsSource:
    return RunsSource(paths.root.parent, paths)


def test_every_run_is_a_row(two) -> None:
    rows = source_on(two[0]).read().rows
    first = next(row for row in rows if row.name == "first")
    assert (first.state, first.stage, first.step, first.loss, first.scores) == (
        "parked",
        "stage_b",
        50,
        1.2,
        (0.78, None),
    )
    assert next(row for row in rows if row.name == "second").state == "crashed"
    assert first.bytes > 10_000


def test_a_run_that_did_not_change_is_not_opened_again(two, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def counted(paths: RunPaths):
        opened.append(paths.name)
        return open_reader(paths)

    monkeypatch.setattr("cockpit.screens.runs.source.open_reader", counted)
    source = source_on(two[0])
    source.draw(("first",))
    assert source.read() == source.read()
    assert sorted(opened) == ["first", "first", "second"]


def test_reading_runs_does_not_change_which_was_written_last(two) -> None:
    before = [paths.name for paths in list_runs(two[0].root.parent)]
    source_on(two[0]).read()
    assert [paths.name for paths in list_runs(two[0].root.parent)] == before == ["first", "second"]


def test_a_damaged_run_says_so_in_its_row(two) -> None:
    two[1].db.write_bytes(b"no database at all" * 100)
    rows = source_on(two[0]).read().rows
    assert "damaged" in next(row.trouble for row in rows if row.name == "second")


def test_time_between_engines_is_not_counted() -> None:
    states = [
        state_event(1, 10, "training"),
        state_event(1, 20, "parked"),
        state_event(2, 1000, "training"),
    ]
    assert flown_seconds(states, 1030) == 40
    assert flown_seconds([*states, state_event(2, 1005, "finished")], 9999) == 15
    assert flown_seconds([], 1) is None


def test_renaming_and_deleting_need_a_run_without_engine(two) -> None:
    first, second = two
    with EngineLock.take(first):
        for change in (lambda: rename(first, "new"), lambda: delete(first)):
            with pytest.raises(UserError):
                change()
    with pytest.raises(UserError, match="there is a 'second' already"):
        rename(first, "second")
    with pytest.raises(UserError, match="cannot be used"):
        rename(first, "../elsewhere")
    renamed = rename(first, "new")
    assert renamed.is_run() and not first.root.exists()
    delete(second)
    assert [path.name for path in renamed.root.parent.iterdir()] == ["new"]


def test_a_run_half_deleted_goes_with_the_next_command(
    two, killed: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = two
    script = (
        "import shutil; from pathlib import Path; from cockpit.screens.runs.changes import delete\n"
        "from engine.runs.layout import RunPaths\n"
        "shutil.rmtree = here; delete(RunPaths(Path(sys.argv[1])))"
    )
    killed(script, first.root)
    runs = second.root.parent
    assert not first.root.exists() and len(list(runs.iterdir())) == 2
    assert main(["status", "--runs", str(runs)]) == 0
    assert [path.name for path in runs.iterdir()] == ["second"]
    first.root.mkdir()
    first.config.touch()
    delete(first)  # one of the same name is no obstacle
    assert [path.name for path in runs.iterdir()] == ["second"]


def test_of_a_linked_run_the_link_goes(two) -> None:
    first, second = two
    aside = first.root.parent.parent / "elsewhere"
    os.rename(first.root, aside)
    first.root.symlink_to(aside)
    with EngineLock.take(RunPaths(aside)), pytest.raises(UserError, match="in use"):
        delete(first)
    aside.joinpath("engine.lock").unlink()
    state = RunsSource(first.root.parent, second).read()
    (row,) = [row for row in state.rows if row.name == "first"]
    assert row.linked and "link goes" in deletion_question(row)[0]
    before = {path: path.read_bytes() for path in aside.rglob("*") if path.is_file()}
    delete(first)
    assert [path.name for path in first.root.parent.iterdir()] == ["second"]
    assert {path: path.read_bytes() for path in aside.rglob("*") if path.is_file()} == before


def test_configurations_are_held_against_each_other_key_by_key(two) -> None:
    assert differences(*two) == [("lora.rank", "16", "32")]


def bucket(step: int, value: float) -> Bucket:
    return Bucket(step, step, value, value, value)


def curves(name: str, values: list[float]) -> RunCurves:
    raw = tuple(bucket(step, value) for step, value in enumerate(values, start=1))
    return RunCurves(name, (StageCurve("stage_a", 0, 100, None, raw), StageCurve("stage_b", 100, 50, None)))


@pytest.mark.parametrize("size", [(60, 10), (120, 24), (6, 3)])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_curves_lie_over_each_other_with_a_letter_each(size: tuple[int, int], glyphs) -> None:
    runs = (curves("one", [3.0, math.nan, 2.0]), curves("\x1btwo", [1.0] * 90), curves("none", []))
    shown = text(overlay_frame(OverlayData(runs, True), *size, glyphs))
    assert "\x1b" not in shown
    if size[0] >= 60:
        assert "a " in shown and "b " in shown and "none" in shown
        assert (
            sum(line.rstrip().endswith("b") or " b " in line or "b" in line for line in shown.split("\n"))
            >= 2
        )
    if glyphs is ASCII:
        assert all(ord(char) < 128 for char in shown.replace("\ufffd", ""))


def test_the_letter_of_a_run_that_ended_early_is_not_drawn_over() -> None:
    early, long = curves("early", [2.0] * 40), curves("long", [2.0] * 100)
    body = overlay_frame(OverlayData((early, long), True), 120, 20, UNICODE)[1:]
    assert {"a", "b"} <= {part for line in body for part, role in line if str(role).startswith("curve")}


def two_stages(name: str, steps_a: int, first: float, validation: float | None = None) -> RunCurves:
    def raw(end: float) -> tuple[Bucket, ...]:
        return tuple(bucket(step, end + first / step) for step in range(1, 41))

    marks = ((20, validation),) if validation else ()
    return RunCurves(
        name,
        (
            StageCurve("stage_a", 0, steps_a, None, raw(1.0)),
            StageCurve("stage_b", steps_a, 60, None, raw(0.5), marks),
        ),
    )


def test_runs_are_aligned_at_the_first_step_of_each_stage() -> None:
    short, long = two_stages("short", 40, 1.0), two_stages("long", 90, 2.0)
    only_b = RunCurves("only", short.curves[1:])
    moved, route = aligned([short, only_b, long])
    assert [(stage.stage, stage.offset, stage.steps) for stage in route] == [
        ("stage_a", 0, 90),
        ("stage_b", 90, 60),
    ]
    assert [run.curves[-1].offset for run in moved] == [90, 90, 90]


def test_equal_curves_are_told() -> None:
    """Also of a run that is only on its way, and where one is read more coarsely."""
    one, other = two_stages("one", 40, 1.0), two_stages("other", 40, 2.0)
    part = RunCurves("part", (replace(one.curves[0], raw=one.curves[0].raw[:17]), one.curves[1]))
    pairs = zip(one.curves[0].raw[::2], one.curves[0].raw[1::2], strict=True)
    coarse_raw = tuple(
        Bucket(a.step_lo, b.step_hi, min(a.low, b.low), max(a.high, b.high), (a.mean + b.mean) / 2)
        for a, b in pairs
    )
    coarse = RunCurves("coarse", (replace(one.curves[0], raw=coarse_raw),))
    legend = text(overlay_frame(OverlayData((other, one, part, coarse), True), 140, 20, UNICODE)[:1])
    assert "b ━━ one   c ━━ part = b   d ━━ coarse = b" in legend and "other   b" in legend


def test_letters_of_equal_curves_stand_side_by_side() -> None:
    one, copy = two_stages("one", 40, 1.0), two_stages("copy", 40, 1.0)
    assert "ba" in text(overlay_frame(OverlayData((one, copy), True), 120, 20, UNICODE)[1:])


def test_validation_points_and_a_logarithmic_axis_under_the_runs() -> None:
    bare, marked = two_stages("one", 40, 1.0), two_stages("one", 40, 1.0, 0.9)
    without, shown = (
        text(overlay_frame(OverlayData((run,), True), 120, 20, UNICODE)) for run in (bare, marked)
    )
    assert without != shown
    log = text(overlay_frame(OverlayData((bare,), True, log=True), 120, 20, UNICODE))
    assert "loss, log" in log and log.split("\n")[1:] != without.split("\n")[1:]


async def test_marks_series_and_scale_stay_when_a_run_is_opened(kit: ModuleType, two) -> None:
    app = kit.app_on_run(two[0])
    async with app.run_test(size=(120, 40)) as pilot:
        await open_runs(kit, pilot, app)
        await kit.until(pilot, lambda: "a ━━ first" in kit.shown(app))
        await pilot.press("space", "j", "space", "l", "m")
        await kit.until(pilot, lambda: "samples/s, log" in kit.shown(app))
        await pilot.press("m")
        await kit.until(pilot, lambda: "learning rate, log" in kit.shown(app))
        await pilot.press("enter")
        await kit.until(pilot, lambda: app.paths == two[1] and "✖ crashed" in kit.shown(app))
        screen = await open_runs(kit, pilot, app)
        assert screen.view.marked == ("first", "second")
        await kit.until(
            pilot, lambda: "learning rate, log" in kit.shown(app) and "b ━━ second" in kit.shown(app)
        )


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_table_fits_its_width(width: int) -> None:
    rows = tuple(
        RunRow(
            f"run-{number}-{'x' * 60}",
            "evaluating",
            False,
            "stage_b",
            1_000_000,
            1_000_000,
            1.5,
            (0.5, 0.4),
            1e6,
            10**13,
        )
        for number in range(100)
    )
    view = RunsView(
        RunsState(RunSummary("n"), (*rows, RunRow("bad", trouble="x" * 300))), 60, (rows[60].name,)
    )
    frame = runs_frame(view, width, 12, UNICODE)
    assert len(frame) == 12 and all(width_of(line) <= width for line in frame)
    assert "▸ a run-60" in text(frame)


@pytest.mark.parametrize(
    ("step", "steps", "narrow"),
    [(1664, 1664, "B 1664/1664 "), (12_000, 48_000, "B 25 % "), (12, None, "B 12 "), (None, None, "- ")],
)
def test_a_step_is_told_whole_or_as_a_share(step: int | None, steps: int | None, narrow: str) -> None:
    row = RunRow("night", "training", False, "stage_b", step, steps, 1.5, (0.5, 0.4), 60.0, 10**9)
    shown = text(runs_frame(RunsView(RunsState(RunSummary("n"), (row,)), 0, ()), 80, 4, UNICODE))
    assert narrow in shown and "1.50" in shown and "1.0 GB" in shown


def test_a_narrow_table_has_whole_columns() -> None:
    rows = (RunRow("one", "finished", False, "stage_b", 618, 618, 1.23, (0.45, 0.67), 7300.0, 41_000_000),)
    for width in range(60, 120):
        head, line = text(runs_frame(RunsView(RunsState(RunSummary("n"), rows)), width, 4, UNICODE)).split(
            "\n"
        )
        for name, figure in (("val", "1.23"), ("F1", "0.45"), ("ICD", "0.67"), ("size", "41.0")):
            assert (name in head) == (figure in line)
        assert head.rstrip().endswith(("val", "ICD", "took", "size", "written"))


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 kB"),
        (812_000, "812 kB"),
        (13_400_000, "13.4 MB"),
        (999_000_000, "999 MB"),
        (1_200_000_000, "1.2 GB"),
    ],
)
def test_sizes(size: int, words: str) -> None:
    assert size_words(size) == words


def test_ages() -> None:
    assert age_words(30) == "just now" and age_words(600) == "10 min ago" and age_words(7300) == "2 h 00 ago"


def test_reasons() -> None:
    live = RunsView(RunsState(RunSummary("n"), (RunRow("a", "training"), RunRow("b", "finished"))))
    assert "park or stop it first" in keys.RENAME.reason(live) and "already under way" in keys.RESUME.reason(
        live
    )
    assert keys.COMPARE.reason(live) and keys.MARK.reason(live) == ""
    full = RunsView(live.state, 1, ("w", "x", "y", "z"))
    assert "as many as can be told apart" in keys.MARK.reason(full)


async def open_runs(kit: ModuleType, pilot, app) -> Runs:
    await pilot.press("5")
    await kit.until(pilot, lambda: isinstance(app.screen, Runs) and len(app.screen.view.state.rows) > 0)
    await kit.until(pilot, lambda: "state" in kit.shown(app))
    return app.screen


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_marks_lay_curves_over_each_other(kit: ModuleType, two, size) -> None:
    app = kit.app_on_run(two[0])
    async with app.run_test(size=size) as pilot:
        screen = await open_runs(kit, pilot, app)
        await kit.until(pilot, lambda: "◌ parked" in kit.shown(app) and "✖ crashed" in kit.shown(app))
        await kit.until(pilot, lambda: "a ━━ first" in kit.shown(app))
        await pilot.press("d")
        assert any("mark one run" in words for words in kit.said(app))
        await pilot.press("space", "j", "space")
        await kit.until(pilot, lambda: "a ━━ first   b ━━ second" in kit.shown(app))
        await pilot.press("d")
        await kit.until(pilot, lambda: "lora.rank" in kit.shown(app))
        app.clear_notifications()
        await pilot.press("escape", "escape")
        await kit.until(pilot, lambda: screen.view.marked == () and isinstance(app.screen, Runs))


async def test_another_run_is_opened_on_every_screen(kit: ModuleType, two) -> None:
    app = kit.app_on_run(two[0])
    async with app.run_test(size=(120, 40)) as pilot:
        await open_runs(kit, pilot, app)
        await pilot.press("j", "enter")
        await kit.until(pilot, lambda: app.paths == two[1] and "✖ crashed" in kit.shown(app))
        await pilot.press("6")
        await kit.until(pilot, lambda: "training.log" in kit.shown(app) and "second" in kit.shown(app))


async def test_resuming_starts_an_engine(kit: ModuleType, two, monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[str] = []
    monkeypatch.setattr("engine.runs.process.launch", lambda paths, _argv: launched.append(paths.name))
    app = kit.app_on_run(two[0])
    async with app.run_test(size=(120, 40)) as pilot:
        await open_runs(kit, pilot, app)
        await pilot.press("j", "s")
        await kit.until(pilot, lambda: "second: a new engine goes on from stage_b-000050" in kit.said(app))
        assert launched == ["second"]


async def test_renaming_the_open_run_follows_it(kit: ModuleType, two) -> None:
    app = kit.app_on_run(two[0])
    async with app.run_test(size=(120, 40)) as pilot:
        await open_runs(kit, pilot, app)
        await pilot.press("r", *"-2", "enter")
        await kit.until(pilot, lambda: app.paths is not None and app.paths.name == "first-2")
        await kit.until(pilot, lambda: isinstance(app.screen, Runs) and "first-2" in kit.shown(app))


async def test_deleting_asks_and_goes_on_with_another_run(kit: ModuleType, two) -> None:
    app = kit.app_on_run(two[0])
    async with app.run_test(size=(120, 40)) as pilot:
        await open_runs(kit, pilot, app)
        await pilot.press("D")
        await kit.until(
            pilot, lambda: isinstance(app.screen, Confirm) and "cannot be brought back" in kit.shown(app)
        )
        app.clear_notifications()
        await pilot.press("escape")
        await kit.until(pilot, lambda: isinstance(app.screen, Runs))
        assert two[0].is_run()
        await pilot.press("D", "enter")
        await kit.until(pilot, lambda: app.paths == two[1])
        assert not two[0].root.exists()
        await kit.until(pilot, lambda: isinstance(app.screen, Runs) and len(app.screen.view.state.rows) == 1)
        await pilot.press("D", "enter")
        await kit.until(pilot, lambda: isinstance(app.screen, Start) and app.paths is None)


async def test_a_run_with_an_engine_is_neither_renamed_nor_deleted(kit: ModuleType, record) -> None:
    paths: RunPaths = record(end=None)
    with EngineLock.take(paths):
        app = kit.app_on_run(paths)
        async with app.run_test(size=(120, 40)) as pilot:
            await open_runs(kit, pilot, app)
            await pilot.press("D", "r", *"Dse", "enter", "s")
            reason = "an engine is running in it (training): park or stop it first"
            nowhere = f"{reason}: what was typed went nowhere"
            assert kit.said(app) == [reason, nowhere, "already under way: training; enter opens it"]


def test_no_directory_is_no_error(tmp_path: Path) -> None:
    assert RunsSource(tmp_path / "gone", RunPaths(tmp_path / "gone" / "x")).read().rows == ()


async def test_a_run_of_an_hour_asks_for_its_name_and_goes_to_the_trash(
    kit: ModuleType, record, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths: RunPaths = record("night")
    other: RunPaths = record("other")
    monkeypatch.setattr("cockpit.screens.runs.source._flown", lambda _reader, _now: 3601.0)
    app = kit.app_on_run(paths)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_runs(kit, pilot, app)
        await kit.until(pilot, lambda: "▸   night" in kit.shown(app))
        await pilot.press("D")
        await kit.until(pilot, lambda: "Type night to delete it" in kit.shown(app))
        assert "60 min of work" in kit.shown(app) and "after 7 days" in kit.shown(app)
        await pilot.press("enter")
        await kit.until(pilot, lambda: isinstance(app.screen, Runs))
        await pilot.press("D")
        await kit.until(pilot, lambda: isinstance(app.screen, Prompt))
        await pilot.press(*"nigh", "enter")
        assert "nigh is not night: nothing is deleted" in kit.said(app)
        assert isinstance(app.screen, Prompt) and paths.is_run()
        await pilot.press("t", "enter")
        await kit.until(pilot, lambda: not paths.root.exists() and app.paths == other)
        (place,) = (paths.root.parent / ".trash").iterdir()
        await kit.until(pilot, lambda: f"night lies in {place} for 7 days" in kit.said(app))
        assert RunPaths(place).is_run()


@pytest.mark.parametrize(("seconds", "little"), [(0.0, True), (3600.0, True), (3601.0, False), (None, False)])
def test_what_is_not_known_to_be_little_asks_for_the_name(seconds: float | None, little: bool) -> None:
    assert is_little(RunRow("night", seconds=seconds)) is little
