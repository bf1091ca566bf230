"""The Flight screen in the app, on a source that the test steers."""

import os
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest
from textual.geometry import Region
from textual.pilot import Pilot

from cockpit.alerts.alert import Alert
from cockpit.app import CockpitApp
from cockpit.screens.flight.screen import Flight
from cockpit.screens.shared.help import Help
from cockpit.toolkit.diffing import DiffingWidget
from cockpit.toolkit.glyphs import ASCII
from cockpit.toolkit.modals.confirm import Confirm

SIZES = [(80, 24), (120, 40), (200, 60)]


def flight(app: CockpitApp) -> Flight:
    return next(screen for screen in app.screen_stack if isinstance(screen, Flight))


def shown(app: CockpitApp) -> str:
    """What stands on the screen."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def toasts(app: CockpitApp) -> list[str]:
    return [notification.message for notification in app._notifications]


def record_refreshes(app: CockpitApp) -> list[Region]:
    """Collects the regions that widgets refresh from now on; a whole widget counts as its region."""
    refreshed: list[Region] = []

    def recorder(still: DiffingWidget) -> Callable[..., DiffingWidget]:
        refresh = still.refresh

        def record(*regions: Region, **options: bool) -> DiffingWidget:
            refreshed.extend(regions or [still.size.region])
            return refresh(*regions, **options)

        return record

    for still in app.screen.query(DiffingWidget):
        still.refresh = recorder(still)  # type: ignore[method-assign]
    return refreshed


async def settled(kit: ModuleType, pilot: Pilot[None]) -> None:
    await kit.until(pilot, lambda: "night-run-3" in shown(pilot.app) and flight(pilot.app).state is not None)


@pytest.mark.parametrize("size", SIZES)
async def test_one_glance_tells_state_progress_and_report(kit: ModuleType, size: tuple[int, int]) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=size) as pilot:
        await settled(kit, pilot)
        screen = shown(app)
        for words in ("● training", "step 300 / 618", "left 4-5 min", "Moderate right pleural effusion"):
            assert words in screen
        assert "space hold" in screen and "q leave" in screen
        assert "7.8 GiB" in screen


async def test_the_smallest_screen_that_shows_a_run(kit: ModuleType) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(60, 20)) as pilot:
        await settled(kit, pilot)
        assert "● training" in shown(app) and "step 300 / 618" in shown(app)


@pytest.mark.parametrize("size", [(60, 18), (40, 24), (10, 3)])
async def test_below_it_a_line_says_so(kit: ModuleType, size: tuple[int, int]) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=size) as pilot:
        await kit.until(pilot, lambda: "too" in shown(app))
        assert "training" not in shown(app)
        await pilot.resize_terminal(80, 24)
        await kit.until(pilot, lambda: "● training" in shown(app))


async def test_ascii_shows_ascii_only(kit: ModuleType) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()), glyphs=ASCII)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settled(kit, pilot)
        assert all(ord(char) < 128 for char in shown(app))
        await pilot.press("s")
        await kit.until(pilot, lambda: "already under way" in shown(app))
        assert all(ord(char) < 128 for char in shown(app))


async def test_a_new_step_refreshes_few_cells(kit: ModuleType) -> None:
    """At most a hundred cells, in spans, where the screen has 4,800."""
    source = kit.FakeSource(kit.a_state(300))
    app = kit.app_on(source)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(kit, pilot)
        refreshed = record_refreshes(app)
        source.state = kit.a_state(301)
        await kit.until(pilot, lambda: "step 301" in shown(app))
        assert refreshed and all(region.height == 1 for region in refreshed)
        assert sum(region.area for region in refreshed) <= 100


async def test_nothing_is_refreshed_when_nothing_changed(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(kit, pilot)
        seen = source.reads
        refreshed = record_refreshes(app)
        await kit.until(pilot, lambda: source.reads > seen + 1)
        assert refreshed == []


async def test_space_holds_and_continues(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(kit, pilot)
        await pilot.press("space")
        await kit.until(pilot, lambda: source.asked == ["hold"])
        source.state = kit.a_state(state="holding")
        await kit.until(pilot, lambda: "◐ holding" in shown(app))
        assert "space continue" in shown(app)
        await pilot.press("space")
        await kit.until(pilot, lambda: source.asked == ["hold", "continue"])
        await pilot.press("s")
        await kit.until(pilot, lambda: source.asked == ["hold", "continue", "continue"])


async def test_the_answer_of_the_engine_is_shown(kit: ModuleType) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(kit, pilot)
        await pilot.press("c")
        assert "save asked" in shown(app) or "save: at step 301" in toasts(app)
        await kit.until(pilot, lambda: "save: at step 301" in toasts(app))
        await kit.until(pilot, lambda: "save asked" not in shown(app))


@pytest.mark.parametrize(("key", "verb"), [("c", "save"), ("g", "sample")])
async def test_keys_ask_the_engine(kit: ModuleType, key: str, verb: str) -> None:
    source = kit.FakeSource(kit.a_state())
    async with kit.app_on(source).run_test() as pilot:
        await settled(kit, pilot)
        await pilot.press(key)
        await kit.until(pilot, lambda: source.asked == [verb])


@pytest.mark.parametrize(
    ("key", "verb", "words"), [("x", "stop", "the stage ends here"), ("p", "park", "s goes on from there")]
)
async def test_ending_an_engine_asks_once(kit: ModuleType, key: str, verb: str, words: str) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test() as pilot:
        await settled(kit, pilot)
        await pilot.press(key)
        await kit.until(pilot, lambda: isinstance(app.screen, Confirm) and words in shown(app))
        await pilot.press("escape")
        await kit.until(pilot, lambda: isinstance(app.screen, Flight))
        assert source.asked == []
        await pilot.press(key, key)
        await kit.until(pilot, lambda: f"enter {verb}s, esc goes back" in toasts(app))
        assert source.asked == []
        await pilot.press("enter")
        await kit.until(pilot, lambda: source.asked == [verb])


async def test_the_question_tells_what_a_resume_will_do(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test() as pilot:
        await settled(kit, pilot)
        await pilot.press("x")
        await kit.until(pilot, lambda: "trains the rest of this stage." in shown(app))
        await pilot.press("escape")
        stages = source.state.stages
        source.state = replace(source.state, stages=(*stages, replace(stages[0], status="ahead")))
        await kit.until(pilot, lambda: flight(app).state.stage_ahead)
        await pilot.press("x")
        await kit.until(pilot, lambda: "goes on with the next stage." in shown(app))


@pytest.mark.parametrize(
    ("state", "key", "reason"),
    [
        ("parked", "space", "nothing to hold: the run is parked, s resumes"),
        ("finished", "s", "finished: every stage of this run is done"),
        ("training", "s", "already under way: training"),
        ("loading", "space", "cannot hold yet: still loading"),
    ],
)
async def test_a_key_that_cannot_work_says_why(kit: ModuleType, state: str, key: str, reason: str) -> None:
    source = kit.FakeSource(kit.a_state(state=state))
    app = kit.app_on(source)
    async with app.run_test() as pilot:
        await settled(kit, pilot)
        await pilot.press(key)
        await kit.until(pilot, lambda: reason in toasts(app))
        assert source.asked == [] and source.launched == 0


@pytest.mark.parametrize("state", ["parked", "stopped", "crashed", "failed"])
async def test_s_starts_a_new_engine(kit: ModuleType, state: str) -> None:
    source = kit.FakeSource(kit.a_state(state=state))
    app = kit.app_on(source)
    async with app.run_test() as pilot:
        await settled(kit, pilot)
        await pilot.press("s")
        await kit.until(pilot, lambda: "a new engine goes on from stage_b-000200" in toasts(app))
        assert source.launched == 1


async def test_smoothing(kit: ModuleType) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(kit, pilot)
        await pilot.press("plus")
        await kit.until(pilot, lambda: "mean 0.95" in shown(app))
        await pilot.press(*["minus"] * 9)
        await kit.until(pilot, lambda: "mean 0  " in shown(app) and "this is the raw curve" in toasts(app))


async def test_n_walks_through_the_cases(kit: ModuleType) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(kit, pilot)
        assert "case 1 of 2" in shown(app)
        await pilot.press("n")
        await kit.until(pilot, lambda: "case 2 of 2" in shown(app))
        await pilot.press("n")
        await kit.until(pilot, lambda: "case 1 of 2" in shown(app))


async def test_help_lists_every_key_with_its_reason(kit: ModuleType) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state(state="parked")))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(kit, pilot)
        await pilot.press("question_mark")
        await kit.until(pilot, lambda: isinstance(app.screen, Help) and "Keys" in shown(app))
        for words in ("space  hold", "the run is parked", "Leave the cockpit; the engine keeps training."):
            assert words in shown(app)
        await pilot.press("escape")
        await kit.until(pilot, lambda: isinstance(app.screen, Flight))


async def test_a_hidden_screen_is_not_read(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test() as pilot:
        await settled(kit, pilot)
        feed = flight(app).feed
        await pilot.press("question_mark")
        await kit.until(pilot, lambda: not feed._seen.is_set())
        await pilot.press("escape")
        await kit.until(pilot, lambda: feed._seen.is_set())


async def test_a_run_that_cannot_be_read_says_so_and_recovers(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    source.error = "run.db is damaged"
    app = kit.app_on(source)
    async with app.run_test(size=(120, 40)) as pilot:
        await kit.until(pilot, lambda: "the run cannot be read: run.db is damaged" in shown(app))
        source.error = ""
        await kit.until(pilot, lambda: "● training" in shown(app) and "cannot be read" not in shown(app))


async def test_a_stall_an_alert_and_a_crash_are_seen(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state(stalled=True))
    source.watch.alerts = (Alert("stalled-1", 1.0, "error", "stalled", "no step"),)
    app = kit.app_on(source)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(kit, pilot)
        await kit.until(pilot, lambda: "▲ stalled" in shown(app) and "⚠ 1 alert" in shown(app))
        source.state = kit.a_state(state="crashed", error="killed by the system")
        await kit.until(pilot, lambda: "✖ crashed" in shown(app))
        assert "crashed   s goes on from stage_b-000200   6 shows its log" in shown(app)


async def test_preparing_shows_what_is_under_way(kit: ModuleType) -> None:
    fresh = replace(kit.a_state(), state="preparing", note="phantom 120/900", stages=(), curves=(), cases=())
    app = kit.app_on(kit.FakeSource(fresh))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(kit, pilot)
        assert "… preparing" in shown(app) and "phantom 120/900" in shown(app)


async def test_leaving_closes_the_source_and_asks_nothing_of_the_engine(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    app = kit.app_on(source)
    async with app.run_test() as pilot:
        await settled(kit, pilot)
        await pilot.press("q")
    assert source.closed.wait(5)
    assert source.asked == []


@pytest.mark.parametrize("theme", ["light", "nord", "ansi-dark"])
async def test_other_themes(kit: ModuleType, theme: str) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()), theme=theme)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(kit, pilot)
        assert "● training" in shown(app)
        app.theme = "cockpit-dark"
        await pilot.pause()
        assert "● training" in shown(app)


async def test_no_color(kit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "NO_COLOR", "1")
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(kit, pilot)
        styles = [segment.style for strip in app.screen._compositor.render_strips() for segment in strip]
        colours = {style.color.triplet for style in styles if style and style.color and style.color.triplet}
        assert all(max(triplet) - min(triplet) <= 2 for triplet in colours)


async def test_gauges_grow_with_the_terminal(kit: ModuleType) -> None:
    widths = []
    for size in ((100, 40), (120, 40), (200, 60)):
        app = kit.app_on(kit.FakeSource(kit.a_state()))
        async with app.run_test(size=size) as pilot:
            await kit.until(pilot, lambda app=app: "process" in kit.shown(app))
            widths.append(app.screen.query_one("#gauges").size.width)
    assert widths[0] == widths[1] == 40 < widths[2] <= 72


async def test_what_was_asked_for_becomes_how_far_it_is(
    kit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = kit.FakeSource(kit.a_state())
    monkeypatch.setattr(source, "outcome", lambda _request: None)
    app = kit.app_on(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(kit, pilot)
        await pilot.press("g")
        await kit.until(pilot, lambda: "sample asked" in shown(app))
        source.state = kit.a_state(state="evaluating", note="sampling 3 of 8")
        await kit.until(pilot, lambda: "sampling 3 of 8" in shown(app) and "sample asked" not in shown(app))


@pytest.mark.parametrize(
    ("width", "words"),
    [(80, "1 Flight"), (120, "1 Flight  2 Samples  3 Setup  4 Data  5 Runs  6 Log")],
)
async def test_the_screens_are_named(kit: ModuleType, width: int, words: str) -> None:
    app = kit.app_on(kit.FakeSource(kit.a_state()))
    async with app.run_test(size=(width, 24)) as pilot:
        await settled(kit, pilot)
        head = shown(app).splitlines()[0]
        assert words in head
        if width == 80:
            assert all(part in head for part in ("2 S", "3 S", "4 D", "5 R", "6 L"))


async def test_a_command_beside_the_app_tells_what_came_of_it(
    kit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real command, on a run that is not there."""
    app = kit.app_on(kit.FakeSource(kit.a_state(state="finished")))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(kit, pilot)
        await pilot.press("e")
        await kit.until(
            pilot, lambda: any("evaluation: cxr-cockpit: no run 'night-run-3'" in one for one in toasts(app))
        )
        await kit.until(pilot, lambda: "under way" not in shown(app))
