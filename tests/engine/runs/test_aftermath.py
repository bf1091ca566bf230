"""What is said of an engine that has ended badly."""

import json
import re
from pathlib import Path

import pytest

from engine.runs import machine
from engine.runs.aftermath import aftermath
from engine.runs.failures import known_failure, table
from engine.runs.layout import RunPaths
from engine.runs.status import ATTEMPT_MARK
from engine.runs.store.opening import open_writer, status_of


@pytest.mark.parametrize("entry", table(), ids=lambda entry: entry["means"])
def test_every_known_failure_is_told_by_its_own_entry(entry: dict[str, str]) -> None:
    re.compile(entry["match"])
    failure = known_failure(f"2026-11-23 02:14:07 ERROR   {entry['said']}")
    assert (failure.means, failure.hint) == (entry["means"], entry["hint"])
    assert set(entry) == {"match", "means", "hint", "said"} and all(entry.values())


@pytest.mark.parametrize("said", ["", "KeyError: 'image'", "loss 0.31, validation loss 0.4", "step 28 of 30"])
def test_what_is_not_known_is_not_guessed(said: str) -> None:
    assert known_failure(said).means == ""


def crash(paths: RunPaths, log: str = "", used: float = 4e9) -> None:
    with open_writer(paths) as writer:
        writer.open_attempt()
        writer.begin_attempt("stage_a", 0, {"device": "cpu"})
        writer.state("training")
        writer.scalars("stage_a", 30, {"memory/system_used": used, "memory/system_total": 16e9})
        writer.progress("stage_a", 30, 100)
        writer.checkpoint("stage_a-000020", "stage_a", 20, 1, kept=False)
    checkpoint = paths.checkpoints / "stage_a-000020"
    checkpoint.mkdir()
    (checkpoint / "progress.json").write_text('{"stage": "stage_a", "step": 20, "steps": 100, "ended": ""}')
    paths.log.write_text(f"old words\n{ATTEMPT_MARK}1 ===\n{log}")


def reason(paths: RunPaths) -> str:
    found = aftermath(paths, status_of(paths))
    assert found is not None
    return found.reason


def test_a_crash_with_words(paths: RunPaths) -> None:
    crash(
        paths, "2026-11-23 02:14:07 INFO    loading\n[red]\x1b[31mRuntimeError: MPS backend out of memory\n"
    )
    found = aftermath(paths, status_of(paths))
    assert found is not None
    assert "memory that the GPU may use" in found.reason and "batch_size" in found.hint
    assert found.last_lines[-1] == "[red] [31mRuntimeError: MPS backend out of memory"
    assert not any("old words" in line for line in found.last_lines)
    assert found.safe == (
        "checkpoint stage_a-000020, step 20 of 100; the 10 steps after it are trained again"
    )
    assert found.command == paths.resume_command


def test_killed_for_want_of_memory(paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "oom_kills", lambda: 3)
    crash(paths)
    assert "it ended without a message" in reason(paths)
    monkeypatch.setattr(machine, "oom_kills", lambda: 4)
    assert "the system killed processes, most likely this one" in reason(paths)


def test_the_kernel_s_count_is_read_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_VMSTAT", tmp_path / "vmstat")
    assert machine.oom_kills() is None and set(machine.marks()) == {"booted"}
    (tmp_path / "vmstat").write_text("nr_free_pages 1\noom_kill 7\noom_kill_other 9\n")
    assert machine.oom_kills() == 7 and machine.marks()["oom_kills"] == 7


def test_memory_that_was_nearly_used_up(paths: RunPaths) -> None:
    crash(paths, used=15.9e9)
    assert "14.81 GiB of 14.90 GiB" in reason(paths)


@pytest.mark.parametrize(
    ("reached", "words"),
    [(29, "the 1 step after it is trained again"), (28, "the 2 steps after it are trained again")],
)
def test_one_step_is_no_steps(paths: RunPaths, reached: int, words: str) -> None:
    crash(paths)
    progress = {"stage": "stage_a", "step": reached, "steps": 100, "ended": ""}
    (paths.checkpoints / "stage_a-000020" / "progress.json").write_text(json.dumps(progress))
    found = aftermath(paths, status_of(paths))
    assert found is not None and found.safe.endswith(f"; {words}")


def test_a_reboot(paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    crash(paths)
    monkeypatch.setattr(machine, "booted", lambda: 2e9)
    assert reason(paths).startswith("the machine restarted (2033-05-")


def test_a_failure_keeps_its_own_words(paths: RunPaths) -> None:
    crash(paths)
    with open_writer(paths) as writer:
        writer.event("error", "films/3.png: no such image", level="error")
        writer.state("failed", "films/3.png: no such image")
    found = aftermath(paths, status_of(paths))
    assert found is not None and found.reason == "films/3.png: no such image" and found.hint == ""


def test_no_checkpoint_and_no_bad_end(paths: RunPaths) -> None:
    with open_writer(paths) as writer:
        writer.open_attempt()
        writer.state("training")
    found = aftermath(paths, status_of(paths))
    assert found is not None and "no checkpoint was written yet" in found.safe
    with open_writer(paths) as writer:
        writer.state("parked")
    assert aftermath(paths, status_of(paths)) is None
