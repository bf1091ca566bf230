"""Alerts: what raises one, that every cockpit knows the same, that each rings once, and their list."""

from __future__ import annotations

import json
import math
import stat
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from cockpit.alerts.alert import Alert, AlertsView
from cockpit.alerts.alert_file import FILE, AlertFile
from cockpit.alerts.alert_list import AlertList, alerts_frame
from cockpit.alerts.bell import BELL, fresh_among, notification, ringing
from cockpit.alerts.rules import Evidence, StageEnd, alerts_in, disk_wanted
from cockpit.alerts.watch import AlertWatch
from cockpit.toolkit.glyphs import ASCII, UNICODE
from engine.runs.lock import EngineLock
from engine.runs.status import Status
from engine.runs.store.opening import open_writer

GIB = 1024**3
STALL = Alert(
    "stalled-1", 1000.0, "error", "stalled", "no step for much longer than usual after stage B step 300"
)
OLD = Alert("event-1", 900.0, "warning", "alert", "checkpoint passed over")


def seen(status: Status, **named: object) -> Evidence:
    return Evidence(status, 1000.0, **named)  # type: ignore[arg-type]


def training(**named: object) -> Status:
    return Status("night", "training", attempt=2, live=True, stage="stage_b", step=300, **named)  # type: ignore[arg-type]


def kinds(evidence: Evidence) -> list[str]:
    return [alert.kind for alert in alerts_in(evidence)]


def test_a_calm_run_raises_nothing() -> None:
    full = {"system": (3 * GIB, 8 * GIB)}
    calm = seen(training(), memory=full, disk=50 * GIB, ended=[StageEnd("stage_a", 40, 1.4, 2.0)])
    assert alerts_in(calm) == []


@pytest.mark.parametrize(
    ("evidence", "kind", "words"),
    [
        (seen(training(stalled=True)), "stalled", "after stage B step 300"),
        (seen(Status("night", "crashed", error="killed")), "crashed", "the engine crashed: killed"),
        (seen(Status("night", "failed", error="no such file")), "failed", "the engine failed: no such file"),
        (seen(training(), bad_steps=[("train/loss", "stage_b", 7)]), "loss not finite", "at stage B step 7"),
        (
            seen(training(), ended=[StageEnd("stage_a", 40, 2.3, 2.0)]),
            "loss above its bar",
            "stage A ended with a validation loss of 2.30, its bar is 2",
        ),
        (seen(training(), ended=[StageEnd("stage_a", 4, math.nan, 2.0)]), "loss above its bar", "nan"),
        (seen(training(), memory={"system": (7.9 * GIB, 8 * GIB)}), "low memory", "7.90 GiB of 8.00 GiB"),
        (seen(training(), disk=GIB // 2), "low disk", "536.9 MB of disk left, 1.00 GB are needed"),
        (seen(training(), disk=5 * GIB, checkpoint=2 * GIB), "low disk", "6.44 GB are needed"),
    ],
)
def test_what_deserves_a_look(evidence: Evidence, kind: str, words: str) -> None:
    (alert,) = alerts_in(evidence)
    assert alert.kind == kind and words in alert.text


def test_a_run_that_is_lost_tells_it_once() -> None:
    steps = [("train/loss", "stage_b", step) for step in range(7, 90)]
    assert kinds(seen(training(), bad_steps=steps)) == ["loss not finite"]


def test_where_no_engine_lives_a_full_disk_can_wait() -> None:
    assert kinds(seen(Status("night", "parked"), disk=0)) == []
    assert disk_wanted(None) == 10**9


def test_what_one_cockpit_tells_the_other_knows_and_acknowledges(tmp_path: Path) -> None:
    here, there = AlertFile(tmp_path), AlertFile(tmp_path)
    here.tell([STALL])
    assert there.alerts([replace(STALL, time=1003.0)]) == (STALL,)
    there.acknowledge([STALL.key], 1010.0)
    there.acknowledge([STALL.key], 1011.0)
    assert here.alerts([OLD]) == (OLD, replace(STALL, acknowledged=1010.0))
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_lines_that_are_not_whole_are_left_out(tmp_path: Path) -> None:
    file = AlertFile(tmp_path)
    file.tell([STALL])
    with (tmp_path / FILE).open("ab") as file:
        for line in (b"{}", b"[1]", b"\xff\x00", b'{"key": 1}', b'{"key": "x", "acknowledged": "now"}'):
            file.write(line + b"\n")
        file.write(json.dumps({"key": "half", "time": 1}).encode())
    assert AlertFile(tmp_path).alerts([]) == (STALL,)


def test_a_book_that_cannot_be_written_is_kept_until_it_can(tmp_path: Path) -> None:
    file = AlertFile(tmp_path / "run")
    file.tell([STALL])
    file.acknowledge([STALL.key], 5.0)
    assert file.alerts([]) == (replace(STALL, acknowledged=5.0),)
    (tmp_path / "run").mkdir()
    file.alerts([])
    assert AlertFile(tmp_path / "run").alerts([]) == (replace(STALL, acknowledged=5.0),)


def test_the_watch_sees_what_the_run_becomes(record) -> None:
    paths = record(end=None)
    with EngineLock.take(paths), open_writer(paths) as writer:
        watch, other = AlertWatch(paths, lambda: 50.0), AlertWatch(paths, lambda: 60.0)
        first = watch.read()
        assert [alert.text for alert in first if alert.kind == "alert"] == ["loss jumped"]
        assert {alert.kind for alert in first} - {"low disk"} == {"alert", "loss not finite"}
        writer.scalars("stage_b", 51, {"train/grad_norm": math.inf})
        late = next(alert for alert in watch.read() if alert.kind == "gradient norm not finite")
        assert late.time == 50.0 and late in other.read()
        other.acknowledge((late.key,))
        assert late.key not in [alert.key for alert in watch.read() if alert.open]
        assert watch.read() == other.read()
        watch.close()
        other.close()


def test_a_crash_is_an_alert(record) -> None:
    paths = record(end=None)
    watch, other = AlertWatch(paths, lambda: 50.0), AlertWatch(paths, lambda: 60.0)
    assert "crashed" in [alert.kind for alert in watch.read()]
    assert watch.read() == other.read()
    assert not (paths.root / FILE).exists()
    watch.close()
    other.close()


def test_a_missed_bar_is_an_alert(record) -> None:
    paths = record(end=None)
    with open_writer(paths) as writer:
        writer.scalars("stage_a", 40, {"val/loss": 2.4})
        writer.state("parked")
    watch = AlertWatch(paths)
    assert "stage A ended with a validation loss of 2.40, its bar is 2" in [
        alert.text for alert in watch.read()
    ]
    watch.close()


@pytest.mark.parametrize(
    ("environment", "sent"),
    [
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "\x1b]9;night: stalled\x1b\\"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "\x1b]9;night: stalled\x1b\\"),
        ({"TERM": "foot"}, "\x1b]777;notify;cxr-cockpit;night: stalled\x1b\\"),
        (
            {"TERM": "xterm-256color", "VTE_VERSION": "7600"},
            "\x1b]777;notify;cxr-cockpit;night: stalled\x1b\\",
        ),
        ({"TERM": "tmux-256color", "VTE_VERSION": "7600", "TMUX": "/tmp/x"}, ""),
        ({"TERM": "linux"}, ""),
    ],
)
def test_terminals_get_the_notification_that_they_know(environment: dict[str, str], sent: str) -> None:
    assert ringing([STALL], "night", environment) == BELL + sent


def test_a_notification_holds_neither_controls_nor_the_text() -> None:
    sent = notification("a\x1b]0;x\x07; b", {"TERM": "foot"})
    assert sent == "\x1b]777;notify;cxr-cockpit;a\ufffd]0,x\ufffd, b\x1b\\"
    assert "step" not in ringing([STALL], "night", {"TERM": "foot"})
    assert ringing([], "night", {"TERM": "foot"}) == ""


def test_only_what_is_new_and_open_rings() -> None:
    assert fresh_among([OLD, STALL, replace(STALL, key="x", acknowledged=1.0)], {OLD.key}) == [STALL]


async def test_a_new_alert_rings_once_wherever_one_looks(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    source.watch.alerts = (OLD,)
    app = kit.app_on(source)
    async with app.run_test(size=(120, 40)) as pilot:
        sent: list[str] = []
        await kit.until(pilot, lambda: "⚠ 1 alert" in kit.shown(app))
        app._driver.write = sent.append
        await pilot.press("2")
        await kit.until(pilot, lambda: "2 Samples" in kit.shown(app))
        source.watch.alerts = (OLD, STALL)
        await kit.until(pilot, lambda: "⚠ 2 alerts" in kit.shown(app))
        reads = source.watch.reads
        await kit.until(pilot, lambda: source.watch.reads > reads + 2)
        assert [text for text in sent if text.startswith(BELL)] == [ringing([STALL], "night-run-3", {})]
        assert kit.said(app) == [STALL.text]


async def test_alerts_are_listed_and_acknowledged(kit: ModuleType) -> None:
    source = kit.FakeSource(kit.a_state())
    source.watch.alerts = (OLD, STALL)
    app = kit.app_on(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await kit.until(pilot, lambda: "⚠ 2 alerts" in kit.shown(app))
        await pilot.press("a")
        await kit.until(pilot, lambda: isinstance(app.screen, AlertList) and STALL.text in kit.shown(app))
        await pilot.press("j")
        await kit.until(pilot, lambda: OLD.text in kit.shown(app) and STALL.text not in kit.shown(app))
        await pilot.press("enter")
        await kit.until(pilot, lambda: "acknowledged" in kit.shown(app))
        assert not source.watch.alerts[0].open and source.watch.alerts[1].open
        await pilot.press("A")
        await kit.until(pilot, lambda: not source.watch.alerts[1].open)
        await pilot.press("enter")
        await kit.until(pilot, lambda: "all are acknowledged" in kit.said(app))
        await pilot.press("escape")
        await kit.until(pilot, lambda: "● training" in kit.shown(app) and "⚠" not in kit.shown(app))


async def test_two_cockpits_on_one_run_agree(kit: ModuleType, record) -> None:
    paths = record(end="parked")
    here, there = kit.app_on_run(paths), kit.app_on_run(paths)
    async with here.run_test(size=(80, 24)) as one, there.run_test(size=(80, 24)) as two:
        for app, pilot in ((here, one), (there, two)):
            await kit.until(pilot, lambda app=app: "⚠ 3 alerts" in kit.shown(app))
        await one.press("a")
        await kit.until(one, lambda: isinstance(here.screen, AlertList))
        await one.press("A")
        await kit.until(two, lambda: "⚠" not in kit.shown(there))
        assert [alert.key for alert in here.alerts] == [alert.key for alert in there.alerts]


@pytest.mark.parametrize("size", [(20, 4), (80, 6), (84, 20)])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_the_list_draws_at_every_size(size: tuple[int, int], glyphs) -> None:
    many = [replace(STALL, key=str(number)) for number in range(40)]
    for alerts in ([], [STALL], many):
        frame = alerts_frame(AlertsView(tuple(alerts), max(0, len(alerts) - 1)), *size, glyphs)
        assert len(frame) <= size[1]
        if glyphs is ASCII:
            assert all(ord(char) < 128 for line in frame for text, _ in line for char in text)
