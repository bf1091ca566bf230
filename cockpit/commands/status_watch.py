"""`status --watch` on a terminal: a run on a few lines that are redrawn in place, without the full screen."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from cockpit.commands.common.console import LiveLines
from cockpit.commands.common.headless import event_line
from cockpit.commands.common.status_words import how_to_go_on, left_words, stage_name
from cockpit.terminal.streams import writes_unicode
from cockpit.toolkit.charts.curves import robust_range
from cockpit.toolkit.figures import count, slower
from cockpit.toolkit.glyphs import ASCII, UNICODE, Glyphs
from engine.runs.layout import RunPaths
from engine.runs.status import Status
from engine.runs.store.opening import NotReady, open_reader
from engine.words.printable import one_line
from engine.words.sizes import in_memory

TOLD = ("checkpoint", "validation", "alert", "error", "sample")
WIDEST = 100
"""Columns beyond which a line is no easier to read."""
_HEIGHTS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class WatchDetails:
    """What the view tells besides the status: losses of the stage so far, what last happened, how to go on."""

    losses: tuple[float, ...] = ()
    last_event: str = ""
    go_on: str = ""


def read_details(paths: RunPaths, status: Status) -> WatchDetails:
    """Losses in as many columns as the view has at most. UserError if the run cannot be read."""
    go_on = "" if status.live else how_to_go_on(status, paths)
    try:
        with open_reader(paths) as reader:
            buckets = reader.series("train/loss", status.stage, columns=WIDEST) if status.stage else []
            events = reader.last_events(1, TOLD)
    except NotReady:
        return WatchDetails(go_on=go_on)
    told = one_line(event_line(events[0])) if events else ""
    return WatchDetails(tuple(bucket.mean for bucket in buckets), told, go_on)


def watch_lines(status: Status, details: WatchDetails, width: int, glyphs: Glyphs) -> list[str]:
    """State; how far; the loss; what it takes; what last happened, or why it ended and how to go on."""
    width = min(width, WIDEST)
    lines = [_well(status, glyphs), *_far(status, details, width, glyphs), _last(status, details)]
    return [line for line in lines if line.strip()]


def _well(status: Status, glyphs: Glyphs) -> str:
    stalled = glyphs.state("stalled") if status.stalled else ""
    parts = [status.run, glyphs.state(status.state), stalled, one_line(status.note or status.message)]
    return "   ".join(part for part in parts if part)


def _far(status: Status, details: WatchDetails, width: int, glyphs: Glyphs) -> list[str]:
    if status.stage is None or status.step is None:
        return []
    of = f"/{count(status.steps)}" if status.steps else ""
    epoch = f"epoch {status.epoch:.2f}" if status.epoch is not None else ""
    where = [stage_name(status.stage), f"step {count(status.step)}{of}", epoch, left_words(status)]
    loss = f"raw loss {status.loss:.3f}" if status.loss is not None else ""
    rate = f"{status.samples_per_second:.1f} samples/s" if status.samples_per_second is not None else ""
    memory = in_memory(status.memory_bytes) if status.memory_bytes is not None else ""
    lines = ["  " + "   ".join(part for part in where if part)]
    if status.steps:
        lines.append(f"  {rail(status.step / status.steps, width - 2, glyphs)}")
    figures = "   ".join(part for part in (loss, rate, memory, status.checkpoint or "") if part)
    lines.append(f"  {figures}")
    if pace := slower(status.slower_than_planned):
        lines.append(f"  {pace}")
    if glyphs.blocks and len(details.losses) > 1:
        lines.append(f"  {spark_line(details.losses, width - 2, glyphs)}")
    return lines


def _last(status: Status, details: WatchDetails) -> str:
    if not status.live and status.error:
        return f"  {one_line(status.error)}"
    return f"  {details.go_on or details.last_event}".rstrip()


def rail(share: float, width: int, glyphs: Glyphs) -> str:
    """A bar of `width` cells of which `share` is done."""
    done = min(width, max(0, int(share * width)))
    head = glyphs.head if 0 < done < width else ""
    return glyphs.done * (done - len(head)) + head + glyphs.ahead * (width - done)


def spark_line(values: Sequence[float], width: int, glyphs: Glyphs) -> str:
    """The curve, and between which values it is drawn."""
    extent = robust_range(values)
    told = f"  {extent[0]:.3g} to {extent[1]:.3g}" if extent else ""
    return spark(values, width - len(told), extent, glyphs) + told


def spark(values: Sequence[float], width: int, extent: tuple[float, float] | None, glyphs: Glyphs) -> str:
    """At most `width` columns as high as the values between those of `extent`.

    What lies beyond them has a mark; a gap where a value is not finite.
    """
    places = range(min(width, len(values)))
    low, high = extent or (0.0, 0.0)
    span = (high - low) or 1.0

    def column(value: float) -> str:
        if not math.isfinite(value):
            return " "
        if not low <= value <= high:
            return glyphs.above if value > high else glyphs.below
        return _HEIGHTS[round((value - low) / span * (len(_HEIGHTS) - 1))]

    last = max(1, len(places) - 1)
    return "".join(column(values[place * (len(values) - 1) // last]) for place in places)


def glyphs_for(ascii: bool) -> Glyphs:
    """ASCII where it is asked for, or where standard output can write no more."""
    return ASCII if ascii or not writes_unicode() else UNICODE


@contextmanager
def watching() -> Iterator[LiveLines]:
    """Lines that are left standing however the watching ends; Ctrl-C is the ordinary way."""

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    live = LiveLines()
    try:
        yield live
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        live.close()
