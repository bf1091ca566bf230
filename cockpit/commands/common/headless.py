"""Staying with an engine without the app: a progress line until it ends, its outcome as exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import FrameType

from cockpit.commands.common.console import SPARSE_SECONDS, LiveLines
from cockpit.commands.common.status_words import how_to_go_on, progress_line, stage_name
from cockpit.commands.control import WHO
from engine.errors import UserError
from engine.runs.aftermath import Aftermath, aftermath
from engine.runs.checkpoints import newest_checkpoint
from engine.runs.directory_watch import LOOK_SECONDS
from engine.runs.layout import RunPaths
from engine.runs.pinned_paths import PinnedPaths
from engine.runs.process import engine_argv, launch
from engine.runs.status import NO_NOTICE, Status
from engine.runs.store.opening import NoEngine, RunReader, open_reader
from engine.runs.store.rows import Event
from engine.words.printable import one_line

POLL_SECONDS = 0.2
TOLD = ("state", "checkpoint", "validation", "alert", "error")


class Interrupts:
    """Counts Ctrl-C instead of dying of it."""

    def __init__(self) -> None:
        self.count = 0
        self._happened = threading.Event()

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than to the next Ctrl-C."""
        self._happened.wait(seconds)
        self._happened.clear()

    def note(self, _signal: int, _frame: FrameType | None) -> None:
        self.count += 1
        self._happened.set()


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """From here on a Ctrl-C is a wish to park. Begin before the engine is launched, so that none is lost."""
    counter = Interrupts()
    before = signal.signal(signal.SIGINT, counter.note)
    try:
        yield counter
    finally:
        signal.signal(signal.SIGINT, before)


def follow(paths: RunPaths, counter: Interrupts, engine_began: bool = False, restarts: int = 0) -> int:
    """Say what the engine does until it ends; returns 0 if the run is finished, else 1.

    The first Ctrl-C asks it to park, the second leaves it at that. With `engine_began` all that the present
    attempt has told is told, else what comes from now on. An engine that crashed is started again, at most
    `restarts` times, and only if there is a new checkpoint since it began. Raises UserError if the input was wrong.
    """
    with closing(PinnedPaths(paths.root)) as held:
        return _follow_all(held, counter, engine_began, restarts)


def _follow_all(paths: RunPaths, counter: Interrupts, engine_began: bool, restarts: int) -> int:
    reached = newest_checkpoint(paths)
    while True:
        status, last_error = _follow_one(paths, counter, engine_began)
        if status.live:
            print(f"{paths.name} {status.state}: it parks by itself; {how_to_go_on_later(paths)}", flush=True)
            return 1
        print(last_line(status, paths, aftermath(paths, status)), flush=True)
        wrong_input = last_error is not None and bool(last_error.data.get("usage"))
        if status.state == "failed" and last_error and wrong_input:
            raise UserError(last_error.message)
        before, reached = reached, newest_checkpoint(paths)
        if not restarts or status.state not in ("crashed", "failed") or reached == before:
            return 0 if status.state == "finished" else 1
        restarts -= 1
        launch(paths, engine_argv(paths))
        left = f"{restarts} more {'time' if restarts == 1 else 'times'}" if restarts else "for the last time"
        print(
            f"{paths.name} starts again from {reached.name if reached else 'the beginning'} ({left})",
            flush=True,
        )
        engine_began = True


def keep_watch(paths: RunPaths, restarts: int) -> None:
    """Let a process of its own start the engine again when it crashes: the app may be closed by then."""
    words = ["resume", str(paths.root), "--headless", "--auto-resume", str(restarts)]
    subprocess.Popen(
        [sys.executable, "-P", "-m", "cockpit.cli", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _follow_one(paths: RunPaths, counter: Interrupts, engine_began: bool) -> tuple[Status, Event | None]:
    live = LiveLines(sparse_seconds=SPARSE_SECONDS)
    with open_reader(paths) as reader:
        try:
            return _follow(reader, counter, live, _told_before(reader, engine_began))
        finally:
            live.erase()


def _told_before(reader: RunReader, engine_began: bool) -> int:
    """The id of the last event that is not to be told."""
    recent = reader.last_events(200)
    attempt = reader.status().attempt
    old = [event.id for event in recent if not engine_began or event.attempt < attempt]
    return max(old, default=0)


def how_to_go_on_later(paths: RunPaths) -> str:
    return f"go on with `{paths.resume_command}`"


def last_line(status: Status, paths: RunPaths, after: Aftermath | None = None) -> str:
    """`demo parked: go on with …`; after a crash also why, what mends it and what is safe."""
    said = one_line(status.error or "") if status.state in ("failed", "crashed") else ""
    parts = [said]
    if after:
        if said.startswith(NO_NOTICE) and "; last line of" not in said:
            parts = []  # the reason says more
        parts += ["" if after.reason == status.error else after.reason, after.hint, f"safe: {after.safe}"]
    rest = "; ".join(one_line(part) for part in (*parts, how_to_go_on(status, paths)) if part)
    return f"{status.run} {status.state}" + (f": {rest}" if rest else "")


def _follow(
    reader: RunReader, counter: Interrupts, live: LiveLines, seen: int
) -> tuple[Status, Event | None]:
    """Until the engine has ended or is left: the last status, and the last error event."""
    asked = waited = False
    state: str | None = None
    error: Event | None = None
    while True:
        status = reader.status()
        for event in reader.events(seen, kinds=TOLD):
            seen = event.id
            error = event if event.kind == "error" else error
            if event.kind != "state" or event.name != state:
                live.tell(event_line(event))
            state = event.name if event.kind == "state" else state
        if status.state == "crashed" and not waited and not os.path.lexists(reader.paths.lock):
            waited = True  # the run is being removed, or its engine is about to take the lock anew
            counter.wait(2 * LOOK_SECONDS)
            continue
        if not status.live or counter.count > 1:
            return status, error
        if counter.count and not asked:
            asked = True
            _park(reader, live)
        live.show([progress_line(status)])
        counter.wait(POLL_SECONDS)


def _park(reader: RunReader, live: LiveLines) -> None:
    try:
        reader.request("park", who=WHO)
    except NoEngine:
        return  # it has just ended: the next look says how
    live.tell(
        "parking: a checkpoint is written at the next step; "
        f"{how_to_go_on_later(reader.paths)}; Ctrl-C again leaves at once"
    )


def event_line(event: Event) -> str:
    """`02:14:07  stage A  step 400  checkpoint stage_a-000400`"""
    clock = time.strftime("%H:%M:%S", time.localtime(event.wall_time))
    where = [] if event.stage is None else [stage_name(event.stage)]
    if event.step is not None:
        where.append(f"step {event.step:,}")
    said = one_line(event.message)
    if event.kind == "state":
        said = f"{event.name}{': ' + said if said else ''}"
    elif event.level in ("warn", "error"):
        said = f"{event.level}: {said}"
    return "  ".join([clock, *where, said])
