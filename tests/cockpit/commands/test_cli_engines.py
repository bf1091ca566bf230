"""Commands that start, steer and follow engines, with small stand-ins for the real one."""

import hashlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cockpit.cli import main
from cockpit.commands.common import headless
from engine.runs.layout import RunPaths, create_run
from engine.runs.lock import EngineLock, lock_holder
from engine.runs.store.opening import RunWriter, open_reader, open_writer, status_of

ENGINE = """
import json, sys, time
from pathlib import Path
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock
from engine.runs.store.opening import open_writer
paths = RunPaths(Path(sys.argv[1]))
lock = EngineLock.acquire(paths)
store = open_writer(paths)
store.open_attempt()
(paths.root / "argv").write_text(json.dumps(sys.argv[2:]))
def checkpoint(stage, step, ended=""):
    place = paths.checkpoints / f"{stage}-{step:06d}"
    place.mkdir(exist_ok=True)
    (place / "progress.json").write_text(json.dumps({"stage": stage, "step": step, "steps": 9, "ended": ended}))
    (place / "manifest.json").write_text("{}")
    store.checkpoint(place.name, stage, step, 1, bool(ended))
def serve(until=("park", "stop")):
    while True:
        for command in store.take_commands():
            if command.verb in until:
                return command
            store.finish_command(command.id, f"did {command.verb} {json.dumps(command.arguments)}", True)
        time.sleep(0.005)
def begin(stages=("stage_a", "stage_b")):
    store.begin_attempt(stages[0], 0, {})
    store.plan([{"stage": stage, "steps": 9} for stage in stages])
    store.state("training")
    store.progress(stages[0], 1, 9, loss=1.5)
"""

FINISHES = ENGINE + "begin(); store.state('finished')"
PARKS = ENGINE + "begin(); c = serve(); store.state('parked'); store.finish_command(c.id, 'parked', True)"
PARKS_LATE = ENGINE + "begin(); c = serve(); time.sleep(1.5); store.state('parked')"
DIES = ENGINE + "begin(); sys.exit('boom')"
FAILS = (
    ENGINE
    + "begin(); store.event('error', 'loss is nan', level='error'); store.state('failed', 'loss is nan')"
)
REFUSES = (
    ENGINE
    + "store.event('error', 'a.jpg: no such image', level='error', usage=True); store.state('failed', 'no image')"
)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CXR_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(headless, "POLL_SECONDS", 0.02)
    return tmp_path / "runs"


Becomes = Callable[[str], None]


@pytest.fixture
def engine(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Becomes]:
    """Choose what the launched engines do."""

    def become(code: str) -> None:
        def argv(paths: RunPaths, *options: str) -> list[str]:
            return [sys.executable, "-c", code, str(paths.root), *options]

        for module in (
            "launch.start",
            "commands.train",
            "commands.resume",
            "commands.common.headless",
            "commands.service",
        ):
            monkeypatch.setattr(f"cockpit.{module}.engine_argv", argv)

    become(FINISHES)
    yield become
    for root in runs.iterdir() if runs.exists() else ():
        holder = lock_holder(RunPaths(root))
        if holder and holder.pid and holder.pid != os.getpid():
            os.kill(holder.pid, signal.SIGKILL)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "stages: {stage_a: {learning_rate: 1.0e-4}, stage_b: {learning_rate: 1.0e-4}}\n"
        "data: {curriculum: c/curriculum.jsonl, image_root: films, phantom: {patients: 4}}\n"
    )
    return path


def engine_options(runs: Path, name: str) -> list[str]:
    return json.loads((runs / name / "argv").read_text())


def interrupt_when(condition: Callable[[], bool]) -> threading.Thread:
    """Ctrl-C in this process as soon as `condition` holds."""

    def wait() -> None:
        deadline = time.monotonic() + 20
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


# --- headless ------------------------------------------------------------------------------------------


def test_demo_headless_finishes(engine: Becomes, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--headless"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("run demo in ")
    assert any("preparing" in line for line in lines)
    assert lines[-1] == "demo finished"
    assert main(["demo", "--headless"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "demo-2 finished"
    assert (runs / "demo" / "config.yaml").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (DIES, "demo crashed: "),
        (FAILS, "demo failed: loss is nan"),
        (ENGINE + "store.state('stopped')", "demo stopped"),
    ],
)
def test_unfinished_run_is_exit_1(
    engine: Becomes, code: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(code)
    assert main(["demo", "--headless"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(words) and "cxr-cockpit resume demo" in last


def test_crash_tells_the_last_words(engine: Becomes, capsys: pytest.CaptureFixture[str]) -> None:
    engine(DIES)
    main(["demo", "--headless"])
    assert "boom" in capsys.readouterr().out.splitlines()[-1]


def test_wrong_input_found_by_the_engine_is_exit_2(
    engine: Becomes, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(REFUSES)
    assert main(["demo", "--headless"]) == 2
    assert capsys.readouterr().err == "cxr-cockpit: a.jpg: no such image\n"


def test_ctrl_c_parks(engine: Becomes, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine(PARKS)
    paths = RunPaths(runs / "demo")
    interrupting = interrupt_when(lambda: paths.db.exists() and status_of(paths).state == "training")
    assert main(["demo", "--headless"]) == 1
    interrupting.join()
    lines = capsys.readouterr().out.splitlines()
    assert any("parking" in line and "cxr-cockpit resume demo" in line for line in lines)
    assert lines[-1].startswith("demo parked: go on with `cxr-cockpit resume demo --runs ")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_while_preparing_waits_for_the_engine(
    engine: Becomes, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine("import time; time.sleep(0.5)\n" + PARKS)
    paths = RunPaths(runs / "demo")
    interrupting = interrupt_when(lambda: paths.db.exists() and lock_holder(paths) is not None)
    assert main(["demo", "--headless"]) == 1
    interrupting.join()
    assert status_of(paths).state == "parked"


def test_second_ctrl_c_leaves_at_once(
    engine: Becomes, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(PARKS_LATE)
    paths = RunPaths(runs / "demo")
    first = interrupt_when(lambda: paths.db.exists() and status_of(paths).state == "training")

    def taken() -> bool:
        if first.is_alive():
            return False
        with open_reader(paths) as reader:
            return bool(reader._all("SELECT 1 FROM command WHERE taken IS NOT NULL"))

    second = interrupt_when(taken)
    assert main(["demo", "--headless"]) == 1
    assert lock_holder(paths) is not None
    first.join(), second.join()
    assert "it parks by itself" in capsys.readouterr().out.splitlines()[-1]
    wait_until(lambda: lock_holder(paths) is None)
    assert status_of(paths).state == "parked"


def test_taken_name_is_refused(engine: Becomes, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create_run(runs, "mine")
    assert main(["demo", "--headless", "--run", "mine"]) == 2
    assert "resume mine" in capsys.readouterr().err


def test_used_run_is_refused(engine: Becomes, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["demo", "--headless"])
    capsys.readouterr()
    with EngineLock.take(RunPaths(runs / "demo")) as lock:
        lock.record(os.getpid(), "evaluate", None)
        assert main(["resume", "demo", "--headless"]) == 2
    assert f"pid {os.getpid()}" in capsys.readouterr().err


# --- after a crash ------------------------------------------------------------------------------------

CRASHES_ON = (
    ENGINE
    + """
done = len(list(paths.checkpoints.iterdir()))
begin()
if done < 3:
    checkpoint('stage_a', done + 1)
    sys.exit('RuntimeError: CUDA error: an illegal memory access was encountered')
store.state('finished')
"""
)


def test_auto_resume_goes_on_while_there_is_progress(
    engine: Becomes, runs: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(CRASHES_ON)
    train = ["train", str(config), "--headless", "--run", "x", "--stage", "stage_a"]
    assert main([*train, "--auto-resume", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "starts again" in line] == [
        f"x starts again from stage_a-00000{number} ({left} more times)"
        for number, left in ((1, 4), (2, 3), (3, 2))
    ]
    assert lines[-1] == "x finished" and status_of(RunPaths(runs / "x")).attempt == 4


@pytest.mark.parametrize(("code", "attempts"), [(CRASHES_ON, 3), (DIES, 1), (REFUSES, 1), (PARKS, 1)])
def test_auto_resume_ends(
    engine: Becomes, runs: Path, code: str, attempts: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """After N times; without progress at once; and never where the input was wrong or somebody parked."""
    engine(
        ENGINE + "begin(); checkpoint('stage_a', 1); store.state('parked')" if code != CRASHES_ON else DIES
    )
    main(["demo", "--headless", "--run", "x"])
    paths = RunPaths(runs / "x")
    engine(code)
    if code == PARKS:
        interrupt_when(lambda: status_of(paths).attempt == 2 and status_of(paths).state == "training")
    assert main(["resume", "x", "--headless", "--auto-resume", "2"]) == (2 if code == REFUSES else 1)
    assert status_of(paths).attempt == 1 + attempts


def test_after_a_crash_all_there_is_to_say_is_said(
    engine: Becomes, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(CRASHES_ON)
    assert main(["demo", "--headless"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert "the GPU or its driver failed" in last and "nvidia-smi" in last
    assert "safe: all of it: checkpoint stage_a-000001, step 1 of 9" in last
    assert last.endswith(f"go on from the last checkpoint with `cxr-cockpit resume demo --runs {runs}`")
    assert main(["status", "demo"]) == 0
    told = capsys.readouterr().out
    for word in ("crashed", "why", "hint", "safe", "go on", "cxr-cockpit resume demo", "log"):
        assert word in told
    assert "illegal memory access" in told


# --- train ---------------------------------------------------------------------------------------------


def test_train_names_the_run_after_its_configuration(
    engine: Becomes, runs: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = ["--set", "lora.rank=4", "--epochs", "3", "--stage", "stage_a"]
    assert main(["train", str(config), "--headless", *overrides]) == 0
    frozen = (runs / "mine" / "config.yaml").read_text()
    assert "rank: 4" in frozen and "epochs: 3" in frozen and "epochs: 1" in frozen
    assert engine_options(runs, "mine") == ["--stage", "stage_a"]
    assert main(["train", str(config), "--headless"]) == 0
    assert engine_options(runs, "mine-2") == []


def test_stage_b_goes_on_in_the_run_of_stage_a(
    engine: Becomes, runs: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(ENGINE + "begin(['stage_a']); checkpoint('stage_a', 4); store.state('parked')")
    train = ["train", str(config), "--headless", "--run", "x"]
    assert main([*train, "--stage", "stage_a"]) == 1
    assert main([*train, "--stage", "stage_b"]) == 2
    assert "stage A of run 'x' is not done" in capsys.readouterr().err
    engine(ENGINE + "begin(['stage_a']); checkpoint('stage_a', 9, 'finished'); store.state('finished')")
    assert main(["resume", "x", "--headless"]) == 0
    assert main([*train, "--stage", "stage_b", "--set", "lora.rank=4"]) == 2
    assert "lora.rank = 16, not 4" in capsys.readouterr().err
    engine(FINISHES)
    assert main([*train, "--stage", "stage_b"]) == 0
    assert engine_options(runs, "x") == ["--stage", "stage_b"]
    assert main([*train, "--stage", "all"]) == 2
    assert "resume x" in capsys.readouterr().err


def test_from_copies_a_whole_checkpoint(
    engine: Becomes, runs: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(ENGINE + "begin(); checkpoint('stage_a', 4); checkpoint('stage_a', 9); store.state('parked')")
    main(["train", str(config), "--headless", "--run", "x"])
    for step in (4, 9):
        place = runs / "x" / "checkpoints" / f"stage_a-00000{step}"
        (place / "adapter.bin").write_bytes(b"weights")
        digest = hashlib.blake2b(b"weights", digest_size=32).hexdigest()
        (place / "manifest.json").write_text(json.dumps({"adapter.bin": {"bytes": 7, "blake2b": digest}}))
    engine(FINISHES)
    train = ["train", str(config), "--headless"]
    assert main([*train, "--run", "y", "--from", "x"]) == 0
    assert [path.name for path in (runs / "y" / "checkpoints").iterdir()] == ["stage_a-000009"]
    assert main([*train, "--run", "z", "--from", "x:stage_a-000004"]) == 0
    assert [path.name for path in (runs / "z" / "checkpoints").iterdir()] == ["stage_a-000004"]
    capsys.readouterr()
    (place / "adapter.bin").write_bytes(b"weighty")
    for origin, words in [("x", "not a whole checkpoint"), ("x:stage_b-000001", "there are: stage_a-000004")]:
        assert main([*train, "--run", "w", "--from", origin]) == 2
        assert words in capsys.readouterr().err
        assert not (runs / "w").exists()
    assert main([*train, "--from", "nowhere"]) == 2


# --- resume --------------------------------------------------------------------------------------------


def test_resume_starts_a_new_engine_for_an_ended_run(
    engine: Becomes, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(DIES)
    main(["demo", "--headless"])
    engine(FINISHES)
    capsys.readouterr()
    assert main(["resume", "demo", "--headless"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("starting" in line for line in lines) and not any("boom" in line for line in lines)
    assert lines[-1] == "demo finished"
    assert main(["resume", "demo", "--headless"]) == 0
    assert "is finished" in capsys.readouterr().out
    assert status_of(RunPaths(runs / "demo")).attempt == 2


def test_resume_mends_a_database_that_cannot_be_read_at_all(
    engine: Becomes, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(DIES)
    main(["demo", "--headless"])
    paths = RunPaths(runs / "demo")
    paths.db.with_name("run.db-wal").unlink(missing_ok=True)
    paths.db.write_bytes(b"this is no database" * 300)
    assert main(["status", "demo"]) == 2
    assert f"`cxr-cockpit resume demo --runs {runs}` keeps it aside" in capsys.readouterr().err
    with EngineLock.take(paths):
        assert main(["resume", "demo", "--headless"]) == 2, "its engine mends it"
    engine(FINISHES)
    assert main(["resume", "demo", "--headless"]) == 0
    assert (runs / "demo" / "run.db.damaged-1").exists()


def test_resume_after_stop(engine: Becomes, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine(ENGINE + "begin(); checkpoint('stage_a', 3, 'stopped'); store.state('stopped')")
    main(["demo", "--headless"])
    engine(ENGINE + "begin(); checkpoint('stage_b', 3, 'stopped'); store.state('stopped')")
    assert main(["resume", "demo", "--headless"]) == 1
    capsys.readouterr()
    assert main(["resume", "demo", "--headless"]) == 2
    assert "--same-stage" in capsys.readouterr().err
    engine(FINISHES)
    assert main(["resume", "demo", "--headless", "--same-stage"]) == 0
    assert engine_options(runs, "demo") == ["--same-stage"]


# --- a living engine -----------------------------------------------------------------------------------


class LivingEngine:
    """A thread that holds the lock and answers commands as the engine does."""

    def __init__(self, paths: RunPaths) -> None:
        self.lock = EngineLock.take(paths)
        self.writer: RunWriter = open_writer(paths)
        attempt = self.writer.open_attempt()
        self.lock.record(os.getpid(), "run", attempt)
        self.writer.begin_attempt("stage_a", 0, {})
        self.writer.state("training")
        self.writer.progress("stage_a", 1, 9)
        self.asked: list[tuple[str, dict[str, object]]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._over.wait(0.01):
            for command in self.writer.take_commands():
                self.asked.append((command.verb, command.arguments))
                answer = "training" if command.verb == "continue" else f"did {command.verb}"
                if command.verb in ("hold", "continue"):
                    self.writer.state("holding" if command.verb == "hold" else "training")
                if command.verb == "evaluate":
                    answer = json.dumps(SCORES)
                self.writer.finish_command(command.id, answer, command.verb != "save")

    def end(self, state: str = "parked") -> None:
        self._over.set()
        self._thread.join()
        self.writer.state(state)
        self.writer.close()
        self.lock.close()


SCORES = {
    "run": "night",
    "checkpoint": "stage_b-000009",
    "split": "val",
    "stages": {"stage_a": {"n": 5, "loss": 1.5, "chexpert": {"policy": "U-Zeros", "micro_f1_14": 0.75}}},
    "baselines": {"constant": {"stage_a": {"n": 5, "loss": None, "chexpert": {"micro_f1_14": 0.1}}}},
}


@pytest.fixture
def living(runs: Path) -> Iterator[LivingEngine]:
    engine = LivingEngine(create_run(runs, "night"))
    yield engine
    if not engine._over.is_set():
        engine.end()


@pytest.mark.parametrize("verb", ["hold", "continue", "sample", "park", "stop"])
def test_control_waits_for_the_outcome(
    living: LivingEngine, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, "night"]) == 0
    assert capsys.readouterr().out == ("training\n" if verb == "continue" else f"did {verb}\n")
    assert living.asked == [(verb, {})]


def test_refused_command_is_exit_1(living: LivingEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["save", "night"]) == 1
    assert capsys.readouterr().err == "cxr-cockpit: save: did save\n"


def test_no_wait(living: LivingEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hold", "night", "--no-wait"]) == 0
    wait_until(lambda: bool(living.asked))


def test_control_without_an_engine(living: LivingEngine, capsys: pytest.CaptureFixture[str]) -> None:
    living.end()
    for verb in ("hold", "continue", "park", "stop", "save", "sample"):
        assert main([verb, "night"]) == 1
        printed = capsys.readouterr()
        assert (
            printed.err.count("\n") == 1 and "it is parked" in printed.err and "resume night" in printed.err
        )
    with open_reader(living.lock.paths) as reader:
        assert reader._all("SELECT * FROM command") == []


def test_resume_continues_a_held_run(living: LivingEngine, capsys: pytest.CaptureFixture[str]) -> None:
    living.writer.state("holding")
    assert main(["resume", "night"]) == 0
    assert living.asked == [("continue", {})]
    assert capsys.readouterr().out == "night: training\n"
    assert main(["resume", "night"]) == 0
    assert "training already" in capsys.readouterr().out


def test_resume_headless_follows_a_living_engine(
    living: LivingEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    threading.Timer(0.3, living.end, ("finished",)).start()
    assert main(["resume", "night", "--headless"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "night finished"


def test_evaluate_asks_a_living_engine(living: LivingEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "night", "--json", "--limit", "5"]) == 0
    assert json.loads(capsys.readouterr().out) == SCORES
    assert living.asked == [("evaluate", {"checkpoint": None, "split": "val", "limit": 5})]
    assert main(["evaluate", "night"]) == 0
    assert "0.750" in capsys.readouterr().out


def test_evaluate_without_an_engine_runs_one(
    living: LivingEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    living.end()
    calls: list[list[str]] = []

    def run(command: list[str], **named: object) -> object:
        calls.append(command)
        return type("Ended", (), {"returncode": 0, "stdout": json.dumps(SCORES)})()

    monkeypatch.setattr("cockpit.commands.evaluate.subprocess.run", run)
    assert main(["evaluate", "night", "--json", "--checkpoint", "stage_b-000009"]) == 0
    assert json.loads(capsys.readouterr().out) == SCORES
    (command,) = calls
    assert command[:5] == [sys.executable, "-P", "-m", "engine", "evaluate"]
    assert command[-2:] == ["--checkpoint", "stage_b-000009"]
