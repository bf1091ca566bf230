"""The Setup screen: findings as they come, the mend behind a key, the badge, and asking before a start."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from cockpit.actions.action import keys_that_work
from cockpit.app import CockpitApp
from cockpit.screens.setup import checker as setup_checker
from cockpit.screens.setup.actions import SETUP_ACTIONS
from cockpit.screens.setup.board import setup_frame, setup_header
from cockpit.screens.setup.confirm_fix import ConfirmFix
from cockpit.screens.setup.report import report_text, write_report
from cockpit.screens.setup.screen import Setup
from cockpit.screens.setup.view import SetupView
from cockpit.screens.table import ways_to
from cockpit.toolkit.glyphs import ASCII, UNICODE
from cockpit.toolkit.lines import Frame, width_of
from cockpit.toolkit.modals import confirm
from cockpit.toolkit.modals.confirm import Confirm
from cockpit.views.setup_state import SetupState
from engine.errors import UserError
from engine.setup_check.finding import Finding, Repair, worst_first
from engine.setup_check.fix import apply
from engine.setup_check.fix.plan import Change, Plan
from engine.setup_check.probe.device_trial import Part
from engine.setup_check.probe.facts import Facts
from engine.setup_check.probe.target import Target

COMMAND = ("/env/bin/python", "-m", "pip", "install", "transformers==4.57.6")
PEFT = Finding(
    "peft-old",
    "packages",
    "fail",
    "peft 0.17.1 cannot import with transformers 4.41.0",
    found="peft 0.17.1, transformers 4.41.0",
    expected="transformers >=4.44.0,<5",
    why="\x1b]0;boom\x07 it says [bold]so " * 4,
    consequences=("peft does not import",),
    source="verified: peft#2292",
    repairs=(Repair(install=("transformers>=4.47,<5",)),),
)
MENDED = replace(PEFT, fix=(COMMAND,))
SMALL = Finding("terminal-size", "terminal", "warn", "The terminal is small")
WELL = Finding("interpreter", "interpreter", "ok", "Python 3.11.7 on x86_64")
DATA = Finding("curriculum", "project", "fail", "The curriculum is not there")
PLAN = Plan(
    (COMMAND,), (Change("transformers", "4.41.0", "4.57.6"),), (), frozenset({"peft-old"}), "a dry run"
)


class GivenCheck:
    """A check whose findings come when the test lets them."""

    def __init__(self, findings: list[Finding], plans: dict[str, Plan] | None = None) -> None:
        self.target = Target("/env/bin/python", (3, 11), own=True)
        self.facts = Facts(interpreter={"version": "3.11.7"}, start={"prefix": "/env"})
        self.plans = plans or {}
        self.plan = next(iter(self.plans.values()), None)
        self.trial = False
        self.trying: Callable[[Part], None] = lambda _part: None
        self.go = threading.Event()
        self.go.set()
        self._given = findings
        self._found: dict[str, Finding] = {}

    def run(self) -> Iterator[Finding]:
        if self.trial:
            self.trying(Part("three steps on cpu", 2, 5))
        for one in self._given:
            self.go.wait(10)
            self._found[one.id] = one
            yield one

    @property
    def findings(self) -> list[Finding]:
        return worst_first(list(self._found.values()))


class Checks:
    """Gives out one check after the other; remembers what was asked for."""

    def __init__(self, *checks: GivenCheck) -> None:
        self.checks = list(checks)
        self.asked: list[tuple[Path | None, bool]] = []

    def __call__(self, config: Path | None, known: Facts | None) -> Any:
        self.asked.append((config, known is not None))
        return self.checks.pop(0) if len(self.checks) > 1 else self.checks[0]


def broken() -> GivenCheck:
    return GivenCheck([WELL, PEFT, SMALL, MENDED], {"peft-old": PLAN})


@pytest.fixture(autouse=True)
def no_mend_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def app_with(kit: ModuleType, checks: Checks, run: bool = True, **options: Any) -> CockpitApp:
    app: CockpitApp = kit.app_on(
        kit.FakeSource(kit.a_state(state="parked")) if run else None, make_check=checks, **options
    )
    return app


async def done(kit: ModuleType, pilot: Any, app: CockpitApp) -> None:
    await kit.until(pilot, lambda: app.setup.checked is not None and not app.setup.doing)


async def test_findings_come_one_by_one_worst_first(kit: ModuleType) -> None:
    check = broken()
    check.go.clear()
    app = app_with(kit, Checks(check))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("3")
        await kit.until(pilot, lambda: "… checking" in kit.shown(app) and "looking" in kit.shown(app))
        check.go.set()
        await done(kit, pilot, app)
        await kit.until(pilot, lambda: "checked " in kit.shown(app))
        lines = kit.shown(app).splitlines()
        places = [
            next(n for n, line in enumerate(lines) if text in line) for text in ("✖ fail", "⚠ warn", "✔ ok")
        ]
        assert places == sorted(places)
        assert "▸ ✖ fail" in kit.shown(app) and "✖ 1 to fix" in lines[0]
        for words in ("found", "expected", "why", "leads to", "source", "fix", "changes", "nothing else"):
            assert words in kit.shown(app)
        assert "transformers 4.41.0 → 4.57.6" in kit.shown(app)


async def test_the_check_waits_for_nobody_and_keys_for_no_check(kit: ModuleType) -> None:
    check = broken()
    check.go.clear()
    checks = Checks(check)
    app = app_with(kit, checks)
    async with app.run_test(size=(120, 40)) as pilot:
        await kit.until(pilot, lambda: bool(checks.asked) and "newest report" in kit.shown(app))
        await pilot.press("6")
        await kit.until(pilot, lambda: "6 Log" in kit.shown(app))
        assert app.setup.doing == "checking"
        check.go.set()
        await done(kit, pilot, app)


async def test_the_badge_is_on_every_screen(kit: ModuleType) -> None:
    app = app_with(kit, Checks(broken()))
    async with app.run_test(size=(80, 24)) as pilot:
        await kit.until(pilot, lambda: "✖ 1 to fix" in kit.shown(app).splitlines()[0])
        for key in "2456":
            await pilot.press(key)
            await kit.until(
                pilot,
                lambda: "✖ 1 to fix" in kit.shown(app).splitlines()[0] and len(app.screen_stack) == 1,
            )


async def test_no_badge_where_nothing_fails(kit: ModuleType) -> None:
    app = app_with(kit, Checks(GivenCheck([WELL, SMALL])))
    async with app.run_test(size=(80, 24)) as pilot:
        await done(kit, pilot, app)
        await pilot.press("6")
        await kit.until(pilot, lambda: "6 Log" in kit.shown(app))
        assert "to fix" not in kit.shown(app)


async def test_starting_with_a_failing_finding_asks_first(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state(state="parked"))
    app = kit.app_on(source, make_check=Checks(broken()))
    async with app.run_test(size=(80, 24)) as pilot:
        await done(kit, pilot, app)
        await kit.until(pilot, lambda: "parked" in kit.shown(app))
        await pilot.press("s")
        await kit.until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "peft 0.17.1 cannot import" in kit.shown(app) and source.launched == 0
        app.clear_notifications()
        await pilot.press("escape")
        await kit.until(pilot, lambda: not isinstance(app.screen, Confirm))
        assert source.launched == 0
        await pilot.press("s")
        await kit.until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("enter")
        await kit.until(pilot, lambda: source.launched == 1)


async def test_starting_asks_nothing_where_all_is_well(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state(state="parked"))
    app = kit.app_on(source, make_check=Checks(GivenCheck([WELL])))
    async with app.run_test(size=(80, 24)) as pilot:
        await done(kit, pilot, app)
        await kit.until(pilot, lambda: "parked" in kit.shown(app))
        await pilot.press("s")
        await kit.until(pilot, lambda: source.launched == 1)


def test_what_one_configuration_lacks_is_not_in_the_way_of_another() -> None:
    state = SetupState(findings=(PEFT, DATA))
    assert [one.id for one in state.fails_for(True)] == ["peft-old", "curriculum"]
    assert [one.id for one in state.fails_for(False)] == ["peft-old"]


def test_what_failed_counts_until_the_next_check_has_said_more() -> None:
    state = SetupState(before=(PEFT,), doing="checking")
    assert state.fails == (PEFT,)
    assert replace(state, doing="").fails == ()


Carry = Callable[..., Any]


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """Mends are noted instead of carried out."""
    plans: list[Plan] = []

    def apply_plan(plan: Plan, facts: Facts, say: Callable[[str], None]) -> Any:
        plans.append(plan)
        say("Collecting \x1b[2Jtransformers")
        return True, SimpleNamespace(prefix="/env", kept=[])

    monkeypatch.setattr(apply, "apply_plan", apply_plan)
    return plans


async def test_mending_shows_the_plan_asks_and_checks_again(kit: ModuleType, carried: list[Plan]) -> None:
    checks = Checks(broken(), GivenCheck([WELL]))
    app = app_with(kit, checks)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await done(kit, pilot, app)
        await pilot.press("f")
        await kit.until(pilot, lambda: isinstance(app.screen, ConfirmFix))
        assert "4.41.0 → 4.57.6" in kit.shown(app) and "transformers==4.57.6" in kit.shown(app)
        app.clear_notifications()
        await pilot.press("escape", "f")
        await kit.until(pilot, lambda: isinstance(app.screen, ConfirmFix))
        assert carried == []
        await pilot.press("enter")
        await kit.until(pilot, lambda: "fixed: nothing fails" in kit.said(app))
        assert carried == [PLAN] and checks.asked[-1] == (None, False)
        await pilot.press("o")
        await kit.until(pilot, lambda: "Collecting" in kit.shown(app) and "\x1b" not in kit.shown(app))
        app.clear_notifications()
        await pilot.press("escape")
        await kit.until(pilot, lambda: "nothing fails" in kit.shown(app))
        await pilot.press("f")
        assert "nothing fails" in kit.said(app)


async def test_what_got_worse_is_offered_to_be_undone(
    kit: ModuleType, carried: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    undone: list[str] = []
    monkeypatch.setattr(apply, "undo_last", lambda prefix: (undone.append(prefix), (SimpleNamespace(), 7))[1])
    monkeypatch.setattr(setup_checker, "_undoable", lambda _facts: ("transformers",))
    other = Finding("exits-torch", "imports", "fail", "Importing torch ends the whole process")
    app = app_with(kit, Checks(broken(), GivenCheck([WELL, other]), broken()))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await done(kit, pilot, app)
        await pilot.press("f")
        await kit.until(pilot, lambda: isinstance(app.screen, ConfirmFix))
        await pilot.press("enter")
        await kit.until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "Importing torch ends" in kit.shown(app) and undone == []
        await pilot.press("enter")  # the question has come by itself, perhaps under the fingers
        await kit.until(pilot, lambda: "this question has only just come: enter undoes" in kit.said(app))
        assert undone == []
        monkeypatch.setattr(confirm, "READ_SECONDS", 0.0)
        await pilot.press("enter")
        await kit.until(pilot, lambda: any("7 files are as they were" in text for text in kit.said(app)))
        assert undone == ["/env"]


async def test_copy_report_find_and_read(kit: ModuleType, tmp_path: Path) -> None:
    app = app_with(kit, Checks(broken()))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await done(kit, pilot, app)
        await pilot.press("y")
        await kit.until(
            pilot, lambda: any("it does not say whether it took it" in text for text in kit.said(app))
        )
        assert app.clipboard == "/env/bin/python -m pip install transformers==4.57.6"
        await pilot.press("slash", *"terminal", "enter")
        await kit.until(pilot, lambda: "▸ ⚠ warn" in kit.shown(app))
        await pilot.press("y")
        assert "this finding has no command" in kit.said(app)
        app.clear_notifications()
        await pilot.press("escape", "j", "k", "enter")
        await kit.until(pilot, lambda: "esc back" in kit.shown(app) and "peft#2292" in kit.shown(app))
        app.clear_notifications()
        await pilot.press("escape", "e", "enter")
        await kit.until(pilot, lambda: any("readable by you alone" in text for text in kit.said(app)))
        (report,) = tmp_path.glob("setup-*.txt")
        assert stat.S_IMODE(report.stat().st_mode) == 0o600
        assert "expected transformers >=4.44.0,<5" in report.read_text()


async def test_the_device_is_tried_on_a_key_and_says_what_it_is_at(kit: ModuleType) -> None:
    first, second = broken(), GivenCheck([WELL])
    second.go.clear()
    checks = Checks(first, second)
    app = app_with(kit, checks)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("3")
        await done(kit, pilot, app)
        await pilot.press("d")
        await kit.until(pilot, lambda: "2/5 three steps on cpu" in kit.shown(app))
        await pilot.press("r")
        assert "checking: wait until it is done" in kit.said(app)
        second.go.set()
        await done(kit, pilot, app)
    assert checks.asked[-1] == (None, True) and second.trial


async def test_it_is_there_before_there_is_a_run(kit: ModuleType) -> None:
    app = app_with(kit, Checks(broken()), run=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await kit.until(pilot, lambda: "check this machine" in kit.shown(app))
        await pilot.press("3")
        await kit.until(pilot, lambda: isinstance(app.screen, Setup))
        await done(kit, pilot, app)
        await pilot.press("r")
        await done(kit, pilot, app)
        app.clear_notifications()
        await pilot.press("escape")
        await kit.until(pilot, lambda: "fly the demo" in kit.shown(app))


async def test_another_run_is_checked_without_asking_the_interpreter_again(
    kit: ModuleType, record: Any
) -> None:
    checks = Checks(broken())
    first, second = record("one"), record("two")
    app = kit.app_on_run(first, make_check=checks)
    async with app.run_test(size=(80, 24)) as pilot:
        await done(kit, pilot, app)
        app.open_run(second)
        await kit.until(pilot, lambda: len(checks.asked) == 2)
    assert checks.asked == [(first.config, False), (second.config, True)]


async def test_a_check_that_cannot_be_made_is_told(kit: ModuleType) -> None:
    def make(config: Path | None, known: Facts | None) -> Any:
        raise UserError("the probe ended early")

    app = kit.app_on(None, make_check=make)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await kit.until(pilot, lambda: "the probe ended early" in kit.shown(app))


def text(frame: Frame) -> str:
    return "\n".join("".join(part for part, _ in line) for line in frame)


def a_view(**changes: Any) -> SetupView:
    many = tuple(replace(WELL, id=f"ok-{number}", title=f"{'long ' * number}") for number in range(40))
    state = SetupState(
        "/env/bin/python" * 9,
        "3.11.7",
        "c.yaml",
        (MENDED, SMALL, WELL, *many),
        plans={"peft-old": PLAN},
        plan=PLAN,
    )
    return SetupView(replace(state, **changes))


@pytest.mark.parametrize("size", [(60, 16), (80, 20), (120, 36), (200, 60), (6, 2)])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_the_board_fits_and_obeys_nothing(size: tuple[int, int], glyphs: Any) -> None:
    views = (
        a_view(),
        SetupView(SetupState()),
        replace(a_view(output=("x\x1b[2J" * 50, "[red]")), output_open=True),
        replace(a_view(doing="checking", trouble="\x07no"), chosen="ok-39"),
    )
    for view in views:
        for frame in (setup_frame(view, *size, glyphs), setup_header(ways_to(), view, *size, glyphs)):
            assert "\x1b" not in text(frame) and "\x07" not in text(frame)
            if size[0] >= 60:
                assert all(width_of(line) <= size[0] for line in frame)
                assert len(frame) <= size[1]
            if glyphs is ASCII:
                assert text(frame).isascii() or "\ufffd" in text(frame)


def test_the_mend_is_seen_at_eighty_columns() -> None:
    assert "pip install" in text(setup_frame(a_view(), 80, 20, UNICODE))


def test_every_key_answers_with_a_reason_or_works() -> None:
    nothing = SetupView(SetupState())
    assert [key for key, _, _ in keys_that_work(SETUP_ACTIONS, nothing)] == [
        "r",
        "d",
        "/",
        "a",
        "esc",
        "?",
        "q",
    ]
    for action in SETUP_ACTIONS:
        for view in (nothing, a_view(), a_view(doing="fixing")):
            assert len(action.reason(view)) <= 60


def test_a_report_takes_no_files_place(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    write_report(path, report_text(SetupState(findings=(MENDED,)), 0.0))
    with pytest.raises(UserError, match="already"):
        write_report(path, "other")
    with pytest.raises(UserError, match="No such file"):
        write_report(tmp_path / "no" / "folder", "x")
    assert "\x1b" not in path.read_text()
