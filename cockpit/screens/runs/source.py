"""Reads all run directories. Lives on the screen's thread; a run that did not change is not opened again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from cockpit.screens.runs.state import RunCurves, RunRow, RunsState
from cockpit.toolkit.charts.curves import StageCurve
from cockpit.views.metrics import LOSS, Metric
from cockpit.views.run_summary import RunSummary
from engine.errors import UserError
from engine.metrics import registry
from engine.runs.checkpoints import checkpoint_names
from engine.runs.layout import RunPaths, list_runs
from engine.runs.lock import lock_holder
from engine.runs.store.opening import NotReady, RunReader, open_reader, status_of
from engine.runs.store.rows import END_STATES, Event

COLUMNS = 512
Token = tuple[object, ...]


class RunsSource:
    """The table of all runs in a directory, and curves of some of them."""

    def __init__(self, directory: Path, open_run: RunPaths, clock: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._open_run = open_run
        self._clock = clock
        self._rows: dict[str, tuple[Token, RunRow]] = {}
        self._sizes: dict[str, tuple[Token, int]] = {}
        self._curves: dict[str, tuple[Token, RunCurves]] = {}
        self._drawn: tuple[str, ...] = ()
        self._metric = LOSS

    def read(self) -> RunsState:
        runs = list_runs(self._directory)
        if self._open_run.root.parent != self._directory and self._open_run.is_run():
            runs.insert(0, self._open_run)
        tokens = {paths.name: _token(paths) for paths in runs}
        rows = tuple(self._row(paths, tokens[paths.name]) for paths in runs)
        by_name = {paths.name: paths for paths in runs}
        drawn = [by_name[name] for name in self._drawn if name in by_name]
        return RunsState(
            summary=self._summary(rows),
            rows=rows,
            curves=tuple(self._curves_of(paths, tokens[paths.name]) for paths in drawn),
        )

    def draw(self, names: Sequence[str], metric: Metric = LOSS) -> None:
        """Read this series of these runs from now on."""
        if metric != self._metric:
            self._curves.clear()
        self._drawn, self._metric = tuple(names), metric

    def paths(self, name: str) -> RunPaths:
        """The run of that name in the table."""
        here = self._open_run.name == name and self._open_run.root.parent != self._directory
        return self._open_run if here else RunPaths(self._directory / name)

    def close(self) -> None:
        """Nothing is kept open."""

    def _summary(self, rows: Iterable[RunRow]) -> RunSummary:
        row = next((row for row in rows if row.name == self._open_run.name), None)
        return RunSummary(row.name, row.state, row.stalled) if row else RunSummary(self._open_run.name)

    def _row(self, paths: RunPaths, token: Token) -> RunRow:
        known = self._rows.get(paths.name)
        if known and known[0] == token and not known[1].live:
            return known[1]
        try:
            row = self._read_row(paths)
        except UserError as error:
            row = RunRow(paths.name, trouble=str(error))
        except OSError as error:
            row = RunRow(paths.name, trouble=f"{error.filename}: {error.strerror}")
        row = replace(row, linked=paths.root.is_symlink())
        self._rows[paths.name] = (token, row)
        return row

    def _read_row(self, paths: RunPaths) -> RunRow:
        size, checkpoints = self._size(paths), len(checkpoint_names(paths))
        written = max(_seconds(path) for path in (paths.db, _wal(paths)))
        try:
            with open_reader(paths) as reader:
                status = reader.status()
                return RunRow(
                    name=paths.name,
                    state=status.state,
                    stalled=status.stalled,
                    stage=status.stage or "",
                    step=status.step,
                    steps=status.steps,
                    loss=_last_loss(reader),
                    scores=tuple(_best(reader, metric) for metric in registry.METRICS if metric.short),
                    seconds=_flown(reader, self._clock() if status.live else None),
                    bytes=size,
                    checkpoints=checkpoints,
                    written=written,
                )
        except NotReady:
            status = status_of(paths)
            return RunRow(paths.name, status.state, bytes=size, checkpoints=checkpoints, written=written)

    def _size(self, paths: RunPaths) -> int:
        """Bytes of the directory; the checkpoints are counted anew only when some came or went."""
        token = (_stamp(paths.checkpoints),)
        known = self._sizes.get(paths.name)
        if known is None or known[0] != token:
            known = (token, _bytes_below(paths.checkpoints))
            self._sizes[paths.name] = known
        beside = [path for path in _children(paths.root) if path.is_file()]
        return known[1] + sum(path.stat().st_size for path in beside if path.exists())

    def _curves_of(self, paths: RunPaths, token: Token) -> RunCurves:
        known = self._curves.get(paths.name)
        if known is None or known[0] != token:
            try:
                with open_reader(paths) as reader:
                    known = (token, RunCurves(paths.name, _curves(reader, self._metric), self._metric))
            except UserError:  # the table says what is wrong with it
                known = (token, RunCurves(paths.name, (), self._metric))
            self._curves[paths.name] = known
        return known[1]


def flown_seconds(states: Iterable[Event], last_sign: float) -> float | None:
    """How long engines lived, from the state events; `last_sign` is when the last one was last heard of.

    An older engine that crashed counts up to the last state it told.
    """
    spans: dict[int, list[float]] = {}
    ended = False
    for event in states:
        span = spans.setdefault(event.attempt, [event.wall_time, event.wall_time])
        span[1] = event.wall_time
        ended = event.name in END_STATES
    if not spans:
        return None
    last = spans[max(spans)]
    if not ended:
        last[1] = max(last[1], last_sign)
    return sum(end - begin for begin, end in spans.values())


def _flown(reader: RunReader, now: float | None) -> float | None:
    states = reader.events(limit=100_000, kinds=("state",))
    newest = [scalar.wall_time for scalar in reader.latest(["train/loss"]).values()]
    newest += [event.wall_time for event in reader.last_events(1)]
    return flown_seconds(states, now if now is not None else max(newest, default=0.0))


def _last_loss(reader: RunReader) -> float | None:
    """The newest validation loss: that of single steps is another thing, and jumps."""
    found = reader.latest(["val/loss"]).get("val/loss")
    return found.value if found else None


def _best(reader: RunReader, metric: registry.Metric) -> float | None:
    """The best value in any stage."""
    stages = [stage for stage, _, _ in reader.extents(metric.tag)]
    values = [value for stage in stages for _, value in reader.recent(metric.tag, stage) if value == value]
    return max(values, key=metric.goodness, default=None)


def _curves(reader: RunReader, metric: Metric) -> tuple[StageCurve, ...]:
    curves, offset = [], 0
    for entry in reader.stages_plan():
        stage, steps = str(entry["stage"]), int(entry["steps"])
        raw = tuple(reader.series(metric.tag, stage, columns=COLUMNS))
        validation = tuple(reader.recent("val/loss", stage)) if metric == LOSS else ()
        curves.append(StageCurve(stage, offset, steps, None, raw, validation))
        offset += steps
    return tuple(curves)


def _token(paths: RunPaths) -> Token:
    """Changes whenever the run does, but not because it is read."""
    written = (_stamp(path) for path in (paths.db, _wal(paths), paths.checkpoints))
    return (*written, _is_held(paths))


def _is_held(paths: RunPaths) -> bool | None:
    """None where nobody can tell; the row says why."""
    try:
        return lock_holder(paths) is not None
    except UserError:
        return None


def _wal(paths: RunPaths) -> Path:
    return paths.db.with_name("run.db-wal")


def _stamp(path: Path) -> tuple[int, int]:
    try:
        about = path.stat()
    except OSError:
        return (0, 0)
    # An empty WAL comes and goes with those who read.
    return (about.st_mtime_ns, about.st_size) if about.st_size else (0, 0)


def _seconds(path: Path) -> float:
    return _stamp(path)[0] / 1e9


def _children(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return []


def _bytes_below(directory: Path) -> int:
    return sum(_stamp(path)[1] for path in directory.rglob("*") if path.is_file())
