"""The small view of `status --watch`."""

import math
import os
import pty
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.commands.status_watch import WatchDetails, rail, read_details, spark, spark_line, watch_lines
from cockpit.toolkit.glyphs import ASCII, UNICODE
from engine.runs.layout import RunPaths, create_run
from engine.runs.lock import EngineLock
from engine.runs.status import Status
from engine.runs.store.opening import open_writer

RUNNING = Status(
    "night",
    "training",
    stage="stage_b",
    step=300,
    steps=600,
    epoch=1.5,
    loss=0.961,
    eta_seconds=620.0,
    eta_low_seconds=500.0,
    eta_high_seconds=900.0,
    slower_than_planned=34.8,
    samples_per_second=12.1,
    memory_bytes=1 << 30,
    checkpoint="stage_b-000200",
    live=True,
)
STORY = WatchDetails((3.0, 2.0, math.nan, 1.0), "02:14:51  stage B  step 200  validation loss 0.96")


def test_a_run_on_a_few_lines() -> None:
    assert watch_lines(RUNNING, STORY, 40, UNICODE) == [
        "night   ● training",
        "  stage B   step 300/600   epoch 1.50   left 8-15 min",
        "  ━━━━━━━━━━━━━━━━━━╸───────────────────",
        "  raw loss 0.961   12.1 samples/s   1.00 GiB   stage_b-000200",
        "  35 times slower than planned",
        "  █▅ ▁  1 to 3",
        "  02:14:51  stage B  step 200  validation loss 0.96",
    ]


def test_nothing_but_ascii_where_no_more_can_be_drawn() -> None:
    lines = watch_lines(RUNNING, STORY, 40, ASCII)
    assert all(line.isascii() for line in lines)
    assert lines[2].strip().count("=") == 18


def test_how_it_ended_is_the_last_word() -> None:
    parked = replace(RUNNING, state="parked", live=False)
    story = replace(STORY, go_on="go on with `cxr-cockpit resume night`")
    assert watch_lines(parked, story, 80, UNICODE)[-1] == "  go on with `cxr-cockpit resume night`"
    failed = replace(RUNNING, state="failed", live=False, error="loss is not finite\x1b[2J\nat step 301")
    assert watch_lines(failed, STORY, 80, UNICODE)[-1] == "  loss is not finite�[2J at step 301"


def test_before_the_first_step() -> None:
    loading = Status("night", "loading", note="16 of 104 films decoded", live=True)
    assert watch_lines(loading, WatchDetails(), 80, UNICODE) == [
        "night   … loading   16 of 104 films decoded"
    ]


@pytest.mark.parametrize("share", [-1.0, 0.0, 0.004, 0.5, 0.999, 1.0, 2.0])
def test_the_bar_is_as_wide_as_it_should_be(share: float) -> None:
    assert len(rail(share, 30, UNICODE)) == 30
    assert (rail(share, 30, UNICODE) == "━" * 30) is (share >= 1)


def test_a_long_curve_keeps_its_ends() -> None:
    falling = spark([float(100 - step) for step in range(100)], 10, (1.0, 100.0), UNICODE)
    assert len(falling) == 10 and falling[0] == "█" and falling[-1] == "▁"
    assert spark([], 10, None, UNICODE) == "" and spark([math.nan, math.inf], 10, None, UNICODE) == "  "
    assert spark([1.0, 1.0], 10, (1.0, 1.0), UNICODE) == "▁▁"


def test_the_first_losses_do_not_rule_the_line() -> None:
    losses = [5.5, 4.0, *([0.2, 0.7] * 9)]
    assert spark_line(losses, 40, UNICODE) == "▴▴" + "▁█" * 9 + "  0.2 to 0.7"


def test_the_story_is_read_from_the_run(tmp_path: Path) -> None:
    paths = create_run(tmp_path, "night")
    assert read_details(paths, Status("night", "preparing")) == WatchDetails()
    with open_writer(paths) as writer:
        writer.state("training")
        writer.scalars("stage_a", 1, {"train/loss": 2.5})
        writer.event("validation", "validation loss 1.9", stage="stage_a", step=1)
    story = read_details(paths, Status("night", "training", stage="stage_a"))
    assert story.losses == (2.5,) and story.last_event.endswith("stage A step 1 validation loss 1.9")


def watched(paths: RunPaths, number: int) -> tuple[int, bytes]:
    """Watch a run on a terminal, send a signal once it is seen: exit code, and all that was written."""
    master, slave = pty.openpty()
    argv = [
        sys.executable,
        "-m",
        "cockpit.cli",
        "--runs",
        str(paths.root.parent),
        "status",
        "night",
        "--watch",
    ]
    process = subprocess.Popen(
        argv,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "COLUMNS": "80"},
        preexec_fn=lambda: (
            signal.signal(signal.SIGINT, signal.SIG_DFL) and None
        ),  # a shell may have ignored it
    )
    seen = b""
    deadline = time.monotonic() + 60
    while b"training" not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([master], [], [], 0.1)[0]:
            seen += os.read(master, 65536)
    process.send_signal(number)
    ended = process.wait(timeout=60)
    while select.select([master], [], [], 0.2)[0]:  # this side holds the terminal open: nothing of it is lost
        seen += os.read(master, 65536)
    os.close(slave)
    os.close(master)
    return ended, seen


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_watching_leaves_its_last_lines_standing(tmp_path: Path, number: int, code: int) -> None:
    paths = create_run(tmp_path / "runs", "night")
    with EngineLock.take(paths), open_writer(paths) as writer:
        writer.state("training")
        ended, seen = watched(paths, number)
    assert ended == code
    assert seen.endswith(b"\n") and b"Traceback" not in seen
