"""Reads a run directory for the Flight screen. Lives on the feed's thread; knows nothing of widgets."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cockpit.launch.again import start_again
from cockpit.screens.flight import series, summaries
from cockpit.screens.flight.state import CaseView, FlightState, StageView, Wanted, Zoomed
from cockpit.toolkit.graphics.film import Thumbnail
from cockpit.toolkit.graphics.half_cells import LONG_SIDE
from cockpit.views.films import film_or_reason, image_root_of
from cockpit.views.run_summary import AftermathReader, place_of
from engine.errors import UserError
from engine.metrics import registry
from engine.runs.checkpoints import checkpoint_names
from engine.runs.layout import RunPaths
from engine.runs.status import Status
from engine.runs.store.opening import NotReady, RunReader, open_reader, status_of
from engine.runs.store.rows import GeneratedSample
from engine.words.sizes import GIB

COLUMNS = 512
"""Points a stage at most, more than a wide chart has pixels; beyond, the reader's rollups answer."""
MOST_STEPS_TIMED = 50_000
EVENTS_SHOWN = 8
DECODE_SECONDS = 0.15
"""Time for decoding pictures in one look; the rest comes with the next."""


class RunSource:
    """One run, read from its directory; see `cockpit.screens.flight.feed.Source`."""

    def __init__(self, paths: RunPaths, pictures: bool) -> None:
        self._paths = paths
        self._pictures_wanted = pictures
        self._reader: RunReader | None = None
        self._token: tuple[tuple[int, bool], tuple[str, ...]] | None = None
        self._state: FlightState | None = None
        self._rows: list[GeneratedSample] = []
        self._seconds: dict[tuple[str, int], float | None] = {}
        self._pictures: dict[str, Thumbnail | str] = {}
        self._image_root: Path | None = None
        self._aftermath = AftermathReader(paths)
        self._wanted: Wanted | None = None
        self._zoomed: tuple[Wanted, FlightState, Zoomed] | None = None

    def read(self) -> FlightState:
        reader = self._open()
        if reader is None:
            return self._without_database()
        token = (reader.change_token(), tuple(checkpoint_names(self._paths)))
        if self._state is None or token != self._token:
            self._rows = reader.last_samples("case")
            self._state = self._read_all(reader, token[1])
            self._token = token
        status = reader.status()
        return replace(
            self._state,
            state=status.state,
            stalled=status.stalled,
            note=status.note or status.message,
            error=status.error or "",
            aftermath=self._aftermath.of(status),
            cases=self._cases(),
            zoomed=self._zoom(reader, self._state),
        )

    def look_at(self, wanted: Wanted | None) -> None:
        """From now on, read this part of a series too."""
        self._wanted = wanted

    def _zoom(self, reader: RunReader, state: FlightState) -> Zoomed | None:
        if self._wanted is None:
            return None
        if self._zoomed is None or self._zoomed[0] != self._wanted or self._zoomed[1] is not state:
            self._zoomed = (self._wanted, state, series.zoomed(reader, state.stages, self._wanted))
        return self._zoomed[2]

    def request(self, verb: str) -> int:
        reader = self._open()
        if reader is None:
            raise UserError("the run has not started yet")
        return reader.request(verb, {}, who="cockpit")

    def outcome(self, request: int) -> tuple[bool, str] | None:
        reader = self._open()
        outcome = reader.outcome(request) if reader else None
        return (outcome.state == "done", outcome.text) if outcome else None

    def launch(self) -> str:
        return start_again(self._paths)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def _open(self) -> RunReader | None:
        if self._reader is None:
            try:
                self._reader = open_reader(self._paths)
            except NotReady:
                return None
        return self._reader

    def _without_database(self) -> FlightState:
        status = status_of(self._paths)
        return FlightState(
            status.run,
            status.state,
            error=status.error or "",
            aftermath=self._aftermath.of(status),
            machine=_machine(None, None),
        )

    def _read_all(self, reader: RunReader, on_disk: Sequence[str]) -> FlightState:
        status = reader.status()
        latest = reader.latest(summaries.TAGS)
        stages = self._stages(reader, status, on_disk)
        memory = summaries.memory_view(latest)
        return FlightState(
            run=status.run,
            state=status.state,
            machine=_machine(memory.total, reader.attempt_info(status.attempt or 0).get("device")),
            checkpoint=on_disk[-1] if on_disk else "",
            stages=stages,
            curves=series.loss_curves(reader, stages, COLUMNS),
            trends=series.trends(reader, stages),
            memory=memory,
            pace=summaries.pace_view(latest, status),
            events=tuple(summaries.event_view(event) for event in reader.last_events(EVENTS_SHOWN)),
        )

    def _stages(self, reader: RunReader, status: Status, on_disk: Sequence[str]) -> tuple[StageView, ...]:
        plan = reader.stages_plan()
        names = [str(entry["stage"]) for entry in plan]
        last_steps = {stage: last for stage, _, last in reader.extents("train/loss")}
        place = place_of(names, status.stage, last_steps)
        told = place is not None and names[place] == status.stage and status.step is not None
        views = []
        for index, entry in enumerate(plan):
            name = names[index]
            at = (status.step or 0) if told and index == place else last_steps.get(name, 0)
            view = StageView(
                stage=name,
                title=str(entry.get("title") or ""),
                steps=int(entry["steps"]),
                step=at,
                epochs=float(entry.get("epochs") or 1),
                epoch=status.epoch if index == place else None,
                bar=entry.get("bar"),
                status=summaries.stage_status(index, place, status.written, at, int(entry["steps"])),
                planned_bytes=entry.get("planned_bytes"),
                planned_samples_per_second=entry.get("planned_samples_per_second"),
            )
            views.append(self._with_results(reader, view, on_disk))
        return tuple(views)

    def _with_results(self, reader: RunReader, view: StageView, on_disk: Sequence[str]) -> StageView:
        validations = reader.recent("val/loss", view.stage)
        ended = view.status in ("done", "stopped")
        return replace(
            view,
            loss=validations[-1][1] if validations else None,
            score=_score(reader, view.stage) if ended else None,
            seconds=self._seconds_of(reader, view) if ended else None,
            validations=tuple(step for step, _ in validations),
            checkpoints=summaries.checkpoints_of(view.stage, on_disk),
        )

    def _seconds_of(self, reader: RunReader, view: StageView) -> float | None:
        key = (view.stage, view.step)
        if key not in self._seconds:
            timed = view.step <= MOST_STEPS_TIMED
            rows = reader.scalars(["train/loss"], view.stage) if timed else ()
            self._seconds[key] = summaries.ended_stage_seconds(rows)
        return self._seconds[key]

    def _cases(self) -> tuple[CaseView, ...]:
        self._decode_some()
        total = len(self._rows)
        cases = []
        for number, row in enumerate(self._rows, start=1):
            view = summaries.case_view(row, f"case {number} of {total}")
            picture = self._pictures.get(row.image)
            if isinstance(picture, Thumbnail):
                view = replace(view, picture=picture)
            elif picture is not None:
                view = replace(view, picture_error=picture)
            cases.append(view)
        return tuple(cases)

    def _decode_some(self) -> None:
        """Decode pictures not seen before, as many as the time allows."""
        if not self._pictures_wanted:
            return
        deadline = time.monotonic() + DECODE_SECONDS
        for row in self._rows:
            name = row.image
            if name and name not in self._pictures:
                if time.monotonic() > deadline:
                    return
                self._pictures[name] = self._decode(name)

    def _decode(self, name: str) -> Thumbnail | str:
        try:
            self._image_root = self._image_root or image_root_of(self._paths)
        except UserError as error:
            return str(error)
        return film_or_reason(self._image_root, name, LONG_SIDE)


def _score(reader: RunReader, stage: str) -> tuple[str, float] | None:
    """The first that the stage has of the metrics that speak for one."""
    for metric in registry.METRICS:
        points = reader.recent(metric.tag, stage, limit=1) if metric.short else []
        if points:
            return metric.short, points[-1][1]
    return None


def _machine(total: float | None, device: str | None) -> str:
    """`mac-studio  512 GiB  MPS`, of which what is not known is left out."""
    host = platform.node().split(".")[0]
    memory = f"{total / GIB:.0f} GiB" if total else ""
    return "  ".join(part for part in (host, memory, (device or "").upper()) if part)
