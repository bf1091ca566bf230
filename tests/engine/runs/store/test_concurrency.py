"""A writer and readers at once, in processes and threads of their own."""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock
from engine.runs.store.opening import RunReader, RunWriter, open_reader

Script = Callable[[str], Any]

WRITE = """
from engine.runs.lock import EngineLock
from engine.runs.store.opening import open_writer
lock = EngineLock.acquire(paths)
store = open_writer(paths)
store.open_attempt()
store.begin_attempt("stage_a", 0, {})
store.state("training")
taken = 0
print("ready", flush=True)
for step in range(1, 3001):
    store.scalars("stage_a", step, {"a": float(step), "b": float(-step)})
    store.progress("stage_a", step, 3000, loss=1.0)
    for command in store.take_commands():
        taken += 1
        store.finish_command(command.id, str(taken), True)
store.state("finished")
"""


def test_readers_and_commands_beside_a_busy_writer(paths: RunPaths, script: Script) -> None:
    engine = script(WRITE)
    assert engine.stdout.readline() == "ready\n"
    failures: list[BaseException] = []

    def read(reader: RunReader) -> None:
        try:
            step = 0
            while engine.poll() is None:
                now = reader.status().step or 0
                assert now >= step
                step = now
                both = [reader.series(tag, "stage_a", columns=50) for tag in "ab"]
                assert all(bucket.low <= bucket.mean <= bucket.high for buckets in both for bucket in buckets)
                steps = [row.step for row in reader.scalars(["a"])]
                assert steps == list(range(1, len(steps) + 1))
        except BaseException as error:
            failures.append(error)

    with open_reader(paths) as first, open_reader(paths) as second:
        threads = [threading.Thread(target=read, args=(reader,)) for reader in (first, second, first)]
        for thread in threads:
            thread.start()
        answers = [second.wait_outcome(second.request("save"), timeout=20) for _ in range(5)]
        for thread in threads:
            thread.join()
        assert [answer.text for answer in answers] == ["1", "2", "3", "4", "5"]
        assert failures == []
        assert engine.wait() == 0
        assert second.status().state == "finished"
        assert second.extents("a") == [("stage_a", 1, 3000)]


def test_killed_writer_leaves_whole_steps(paths: RunPaths, script: Script) -> None:
    engine = script(WRITE)
    engine.stdout.readline()
    with open_reader(paths) as reader:
        while (reader.status().step or 0) < 50:
            time.sleep(0.005)
        os.kill(engine.pid, signal.SIGKILL)
        engine.wait()
        assert reader.status().state == "crashed"
    with open_reader(paths) as reader, EngineLock.take(paths):
        rows = [(row.step, row.tag) for row in reader.scalars()]
        assert rows == [(step, tag) for step in range(1, len(rows) // 2 + 1) for tag in "ab"]
        assert (
            sum(bucket.step_hi - bucket.step_lo + 1 for bucket in reader.series("a", "stage_a"))
            == len(rows) // 2
        )


def test_long_read_does_not_hold_up_the_writer(writer: RunWriter, reader: RunReader) -> None:
    for step in range(3000):
        writer.scalars("stage_a", step, {"a": 1.0})
    rows = reader.scalars()
    next(rows)
    writer.scalars("stage_a", 3000, {"a": 1.0})
    assert len(list(rows)) == 2999


def test_writer_serves_several_threads(writer: RunWriter, reader: RunReader) -> None:
    def write(tag: str) -> None:
        for step in range(200):
            writer.scalars("stage_a", step, {tag: 1.0})

    threads = [threading.Thread(target=write, args=(tag,)) for tag in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(1 for _ in reader.scalars()) == 800
