"""Park, stop and signals while an engine prepares and loads: answered at once, wherever it is."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from engine.config import RunConfig
from engine.planning import plan
from engine.planning.plan import planned_stages
from engine.runs.store.opening import open_reader, status_of
from engine.training import audit, session
from engine.training.at_once import AtOnce
from engine.training.control import Signals

from .living import ask, prepare, wait_for

PHASES = ("prepare_curriculum", "check_images", "load", "encode_all", "before_first_step", "make_plan")


def for_ever() -> None:
    while True:
        sum(range(100))


def swallowing() -> None:
    """As a library that lets no exception through."""
    while True:
        try:
            for_ever()
        except Exception:
            continue


def living_up_to(
    monkeypatch: pytest.MonkeyPatch, phase: str, work: Callable[[], None] = for_ever
) -> threading.Event:
    """The phase goes on for ever, once it is reached; set when it is."""
    reached = threading.Event()

    def endless(*given: object, **named: object) -> None:
        reached.set()
        work()

    place = {"before_first_step": audit, "make_plan": plan}.get(phase, session)
    monkeypatch.setattr(place, phase, endless)
    return reached


def beside(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("phase", PHASES)
def test_park_is_answered_in_every_phase(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    paths = prepare(tmp_path / "run", config)
    reached = living_up_to(monkeypatch, phase)
    told: list[tuple[str, str]] = []
    seconds: list[float] = []

    def park() -> None:
        assert reached.wait(90)
        begun = time.monotonic()
        told.append(ask(paths, "save"))
        told.append(ask(paths, "park"))
        seconds.append(time.monotonic() - begun)

    asking = beside(park)
    assert session.run(paths, "all", False, Signals(), planned_stages) == 1
    asking.join(30)
    assert told == [
        ("refused", "cannot save yet: training has not begun"),
        ("done", "parked, nothing was trained yet"),
    ]
    assert seconds[0] < 10  # on a machine that has nothing else to do, it is less than one
    assert (status_of(paths).state, status_of(paths).by_signal) == ("parked", False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_what_swallows_exceptions(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    paths = prepare(tmp_path / "run", config)
    reached = living_up_to(monkeypatch, "load", swallowing)
    before = signal.getsignal(number)
    signals = Signals()
    signal.signal(number, signals.note)
    beside(lambda: reached.wait(90) and os.kill(os.getpid(), number))
    try:
        assert session.run(paths, "all", False, signals, planned_stages) == 1
    finally:
        signal.signal(number, before)
    status = status_of(paths)
    assert (status.state, status.by_signal, status.message) == ("parked", True, f"signal {number.name}")


def test_stop_while_loading_is_a_stop(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = prepare(tmp_path / "run", config)
    reached = living_up_to(monkeypatch, "load")
    beside(lambda: reached.wait(90) and ask(paths, "stop"))
    assert session.run(paths, "all", False, Signals(), planned_stages) == 1
    assert status_of(paths).state == "stopped"


def test_a_hold_waits_for_the_model_and_a_park_behind_it_does_not(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = prepare(tmp_path / "run", config)
    reached = living_up_to(monkeypatch, "load")

    def hold_and_park() -> None:
        assert reached.wait(90)
        with open_reader(paths) as reader:
            hold = reader.request("hold", {}, "test")
            outcomes.append(ask(paths, "park")[0])
            outcomes.append(reader.wait_outcome(hold, timeout=60)[0])

    outcomes: list[str] = []
    asking = beside(hold_and_park)
    assert session.run(paths, "all", False, Signals(), planned_stages) == 1
    asking.join(60)
    assert outcomes == ["done", "refused"]


def test_what_is_written_is_not_interrupted() -> None:
    asked = threading.Event()
    steps: list[str] = []

    def work() -> None:
        with at_once.undisturbed():
            asked.set()
            time.sleep(1.5)
            steps.append("written")
        for_ever()

    def look() -> Exception | None:
        return KeyError("park") if asked.is_set() else None

    at_once = AtOnce(look, lambda _: None, lambda _: None)
    with pytest.raises(KeyError, match="park"):
        at_once(work)
    assert steps == ["written"]


def test_what_is_cleaned_up_on_the_way_out_is_not_interrupted_again() -> None:
    cleaned: list[str] = []

    def work() -> None:
        try:
            for_ever()
        finally:
            end = time.monotonic() + 1.0
            while time.monotonic() < end:
                sum(range(100))
            cleaned.append("all of it")

    with pytest.raises(KeyError):
        AtOnce(lambda: KeyError("park"), lambda _: None, lambda _: None)(work)
    assert cleaned == ["all of it"]


def test_work_that_nobody_ends_comes_to_its_end() -> None:
    assert AtOnce(lambda: None, lambda _: None, lambda _: None)(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        AtOnce(lambda: None, lambda _: None, lambda _: None)(lambda: 1 // 0)


IN_A_LIBRARY = """
import hashlib, signal, sys
from engine.training.at_once import AtOnce
seen = []
signal.signal(signal.SIGTERM, lambda number, frame: None)
def tell(error):
    print("told:", error, flush=True)
def library():
    print("in it", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)
AtOnce(lambda: SystemError("parked") if seen else None, tell, seen.append)(library)
"""


def busy_in_the_call(pid: int) -> None:
    """Between its last word and the call a child may have to wait for a core: it is in the call once it computes."""
    child = psutil.Process(pid)
    before, end = child.cpu_times().user, time.monotonic() + 90
    while child.cpu_times().user < before + 0.2:
        assert time.monotonic() < end, "it never came to the call"
        time.sleep(0.01)


@pytest.mark.parametrize("signals", [1, 2])
def test_a_call_that_does_not_come_back_ends_with_the_process(signals: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-P", "-c", IN_A_LIBRARY], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == "in it\n"
        busy_in_the_call(child.pid)
        begun = time.monotonic()
        for _ in range(signals):
            child.send_signal(signal.SIGTERM)
            time.sleep(0.5)  # two that come together are one to the system
        assert child.stdout.readline() == "told: parked\n"
        assert child.wait(30) == 1
        waited = time.monotonic() - begun
    assert waited > 3 if signals == 1 else waited < 3


def test_a_run_that_was_parked_while_loading_goes_on(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = prepare(tmp_path / "run", config)
    with monkeypatch.context() as patch:
        reached = living_up_to(patch, "load")
        beside(lambda: reached.wait(90) and ask(paths, "park"))
        assert session.run(paths, "stage_a", False, Signals(), planned_stages) == 1
    assert session.run(paths, None, False, Signals(), planned_stages) == 0
    assert wait_for(paths, lambda status: not status.live).state == "finished"
