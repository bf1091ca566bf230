"""Memory against what there is: a pane where there is room, a line with the rate where there is not."""

from __future__ import annotations

from cockpit.screens.flight.state import FlightState, Memory
from cockpit.toolkit import figures
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, Line, clean, cut, in_role, width_of

NAME_WIDTH = 9
TIGHT, FULL = 0.9, 0.97
"""Shares of the total from which a gauge warns, and needs a hand."""
WAITING, STARVING = 0.1, 0.5
"""Pressure on memory from which it is worth a word: work waits for pages, or hardly comes on."""

OVER_PLAN = 1.15
"""Share of the planned memory from which more is taken than a plan may be wrong by."""

Gauge = tuple[str, float | None, float | None]
"""Name, bytes used, bytes there are."""


def gauges_frame(state: FlightState, width: int, height: int, glyphs: Glyphs) -> Frame:
    """The pane above the small charts."""
    machine = cut(clean(state.machine), max(0, width - 9), glyphs.ellipsis)
    frame: Frame = [[("memory", "strong"), (f"   {machine}", "dim")]]
    frame += [gauge_line(gauge, width, glyphs) for gauge in known_gauges(state.memory)]
    if len(frame) == 1:
        frame.append([("no figures yet", "dim")])
    below = [line for line in (swap_line(state.memory), busy_line(state.memory)) if line]
    return [*frame, *below, *planned_lines(state)]


def planned_lines(state: FlightState) -> Frame:
    """`plan         2.7 GiB, 98 % in use` and `pace       1.75 samples/s, 1.90 planned`, where there was a plan."""
    stage = state.stage_now
    if stage is None or stage.planned_bytes is None:
        return []
    memory: Line = [
        (f"{'plan':<{NAME_WIDTH}}", "dim"),
        (figures.gigabytes(stage.planned_bytes), "text"),
        (" GiB", "dim"),
    ]
    taken = state.memory.process if state.memory.device is None else state.memory.reserved
    if taken is not None:
        over = taken > OVER_PLAN * stage.planned_bytes
        memory.append((f", {round(100 * taken / stage.planned_bytes)} % in use", "warn" if over else "dim"))
    pace = state.pace.samples_per_second
    if stage.planned_samples_per_second is None or pace is None:
        return [memory]
    return [
        memory,
        [
            (f"{'pace':<{NAME_WIDTH}}", "dim"),
            (f"{figures.rate(pace):>6}", "text"),
            (f" samples/s, {figures.rate(stage.planned_samples_per_second).strip()} planned", "dim"),
        ],
        *in_role([words] if (words := figures.slower(state.pace.slower)) else [], "warn"),
    ]


def memory_line_frame(state: FlightState, width: int, height: int, glyphs: Glyphs) -> Frame:
    """One line: every gauge as a number against its total, the pace at the right edge."""
    line: Line = [(" memory", "dim")]
    for name, used, total in known_gauges(state.memory):
        if name == "reserved":
            continue
        part: Line = [(f"  {name}", "dim"), (figures.gigabytes(used), _level(used, total))]
        if total is not None and name != "process":
            part.append((f"/{figures.total_gigabytes(total)}", "dim"))
        if width_of(line) + width_of(part) + 19 <= width:
            line += part
    line.append((" GiB", "dim") if len(line) > 1 else ("  no figures yet", "dim"))
    if state.pace.samples_per_second is None:
        return [line]
    rate: Line = [(figures.rate(state.pace.samples_per_second), "text"), (" samples/s ", "dim")]
    slower = figures.slower(state.pace.slower)
    if slower and width_of(line) + width_of(rate) + len(slower) + 4 <= width:
        rate = [(slower + "  ", "warn"), *rate]
    gap = width - width_of(line) - width_of(rate)
    return [[*line, (" " * gap, "text"), *rate]] if gap >= 2 else [line]


def known_gauges(memory: Memory) -> list[Gauge]:
    """What the engine has measured, or asked for in vain; on a CPU there is no device to ask."""
    limit = memory.limit if memory.wired is None else min(memory.wired, memory.limit or memory.wired)
    gauges: list[tuple[str, Gauge]] = [
        ("process", ("process", memory.process, memory.total)),
        ("device", ("device", memory.device, limit)),
        ("reserved", ("reserved", memory.reserved, limit)),
        ("used", ("system", memory.used, memory.total)),
    ]
    return [gauge for name, gauge in gauges if gauge[1] is not None or name in memory.silent]


def swap_line(memory: Memory) -> Line:
    """`swap        0.0 GiB   pressure high`: nothing while nothing is swapped and nothing waits."""
    pressure = memory.pressure or 0.0
    if not memory.swap and pressure < WAITING and not {"swap", "pressure"} & set(memory.silent):
        return []
    line: Line = [
        (f"{'swap':<{NAME_WIDTH}}", "dim"),
        (figures.gigabytes(memory.swap), "text"),
        (" GiB", "dim"),
    ]
    if "pressure" in memory.silent:
        return [*line, ("   pressure ", "dim"), ("-", "text")]
    if pressure >= STARVING:
        return [*line, ("   pressure ", "dim"), ("high", "bad")]
    return [*line, ("   pressure ", "dim"), ("some", "warn")] if pressure >= WAITING else line


def busy_line(memory: Memory) -> Line:
    """`gpu        92 %`, a dash where it was asked for in vain, nothing where there is none."""
    if memory.utilization is None and "utilization" not in memory.silent:
        return []
    return [(f"{'gpu':<{NAME_WIDTH}}", "dim"), (f"{figures.percent(memory.utilization):>6}", "text")]


def gauge_line(gauge: Gauge, width: int, glyphs: Glyphs) -> Line:
    """`device     71.2 ▕█████▌     ▏ of   384 GiB`"""
    name, used, total = gauge
    role = _level(used, total)
    line: Line = [(f"{name:<{NAME_WIDTH}}", "dim"), (figures.gigabytes(used), role)]
    if total is None:
        return [*line, (" GiB", "dim")]
    room = width - NAME_WIDTH - 6 - 15 - 2
    if room >= 4:
        left, right = glyphs.gauge_edges[0], glyphs.gauge_edges[1]
        fill = role if role != "text" else "accent"
        line += [
            (f" {left}", "faint"),
            *meter((used or 0.0) / total, room, glyphs, fill),
            (right, "faint"),
        ]
    return [*line, (" of", "dim"), (f"{figures.total_gigabytes(total):>6}", "dim"), (" GiB", "dim")]


def meter(share: float, width: int, glyphs: Glyphs, role: str) -> Line:
    """A bar filled to eighths of a cell."""
    steps = len(glyphs.eighths) - 1
    filled = round(min(1.0, max(0.0, share)) * width * steps)
    whole, part = divmod(filled, steps)
    tail = glyphs.eighths[part] if part and whole < width else ""
    return [(glyphs.eighths[-1] * whole + tail, role), (" " * (width - whole - len(tail)), "text")]


def _level(used: float | None, total: float | None) -> str:
    share = used / total if used is not None and total else 0.0
    return "bad" if share >= FULL else "warn" if share >= TIGHT else "text"
