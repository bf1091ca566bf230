"""Watches a run for alerts, whatever screen is open. Lives on a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from cockpit.alerts.alert import Alert
from cockpit.alerts.alert_file import AlertFile
from cockpit.alerts.rules import Evidence, StageEnd, alerts_in, not_finite
from engine.files.free_space import free_space
from engine.runs.layout import RunPaths
from engine.runs.status import Status
from engine.runs.store.opening import NotReady, RunReader, open_reader, status_of
from engine.runs.store.rows import Event

NUMBERS = ("train/loss", "train/grad_norm", "val/loss")
MEMORY = {
    "system": ("memory/system_used", "memory/system_total"),
    "device": ("memory/device", "memory/device_limit"),
}
LOOK_BACK = 2000
"""Steps of a stage that are looked through for values that are no numbers when a run is opened."""


class AlertWatch:
    """One run; see `cockpit.toolkit.background.Readable`."""

    def __init__(self, paths: RunPaths, clock: Callable[[], float] = time.time) -> None:
        self._paths = paths
        self._clock = clock
        self._file = AlertFile(paths.root)
        self._reader: RunReader | None = None
        self._token: tuple[int, bool] | None = None
        self._seen: dict[str, Alert] = {}
        self._looked = False
        self._after: dict[tuple[str, str], int] = {}
        self._evidence: Evidence | None = None

    def read(self) -> tuple[Alert, ...]:
        """Every alert of the run, oldest first."""
        evidence = self._look()
        fresh = [alert for alert in alerts_in(evidence) if alert.key not in self._seen]
        if evidence.status.live or self._looked:  # what ended before stays as it is, and needs no telling
            known = {alert.key for alert in self._file.alerts(())}
            self._file.tell(one for one in fresh if not one.key.startswith("event-") and one.key not in known)
        self._seen.update({alert.key: alert for alert in fresh})
        self._looked = True
        return self._file.alerts(self._seen.values())

    def acknowledge(self, keys: tuple[str, ...]) -> None:
        self._file.acknowledge(keys, self._clock())

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def _look(self) -> Evidence:
        now, disk = self._clock(), _free(self._paths)
        try:
            self._reader = self._reader or open_reader(self._paths)
        except NotReady:
            return Evidence(status_of(self._paths), now, disk=disk)
        reader = self._reader
        token = reader.change_token()
        if self._evidence is None or token != self._token:
            self._evidence = self._read_all(reader, reader.status())
            self._token = token
        # A stall is that nothing changes.
        status = reader.status() if self._evidence.status.live else self._evidence.status
        return replace(
            self._evidence, status=status, now=now if status.live else status.since or now, disk=disk
        )

    def _read_all(self, reader: RunReader, status: Status) -> Evidence:
        latest = reader.latest(tag for pair in MEMORY.values() for tag in pair)
        memory = {
            name: (latest[used].value, latest[total].value)
            for name, (used, total) in MEMORY.items()
            if used in latest and total in latest
        }
        checkpoints = reader.last_events(1, ("checkpoint",))
        events = [event for event in reader.last_events(50, ("alert",)) if event.attempt == status.attempt]
        bad, ended = self._bad_steps(reader), _ended(reader, status)
        return Evidence(status, self._clock(), events, bad, ended, memory, None, _size(checkpoints))

    def _bad_steps(self, reader: RunReader) -> list[tuple[str, str, int]]:
        """Among the steps since the last look."""
        bad = []
        for tag in NUMBERS:
            for stage, _, last in reader.extents(tag):
                after = self._after.get((tag, stage), last - LOOK_BACK)
                # A resumed run goes over steps again.
                bad += not_finite(tag, stage, reader.recent(tag, stage, min(after, last)))
                self._after[tag, stage] = last
        return bad


def _ended(reader: RunReader, status: Status) -> list[StageEnd]:
    """The stages that the run has left behind, with their last validation."""
    plan = reader.stages_plan()
    names = [str(entry["stage"]) for entry in plan]
    here = names.index(status.stage) if status.stage in names else -1
    ended = []
    for index, entry in enumerate(plan):
        whole = index == here and status.state in ("finished", "stopped")
        validations = reader.recent("val/loss", names[index], limit=1) if index < here or whole else []
        ended += [StageEnd(names[index], step, loss, entry.get("bar")) for step, loss in validations]
    return ended


def _size(checkpoints: list[Event]) -> int | None:
    size = checkpoints[-1].data.get("bytes") if checkpoints else None
    return int(size) if isinstance(size, int | float) else None


def _free(paths: RunPaths) -> int | None:
    try:
        return free_space(paths.root)
    except OSError:
        return None
