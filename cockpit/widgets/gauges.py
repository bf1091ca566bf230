"""Memory against what there is, and the pace: a pane where there is room, a line where there is not."""

from __future__ import annotations

from cockpit.screens.flight_state import FlightState, Memory
from cockpit.widgets import figures
from cockpit.widgets.glyphs import Glyphs
from cockpit.widgets.lines import Frame, Line, columns, width_of

NAME_WIDTH = 9
TIGHT, FULL = 0.9, 0.97
"""Shares of the total from which a gauge warns, and needs a hand."""

Gauge = tuple[str, float | None, float | None]
"""Name, bytes used, bytes there are."""


def gauges_frame(state: FlightState, width: int, height: int, glyphs: Glyphs) -> Frame:
    """The pane: gauges, then the pace."""
    frame: Frame = [[("memory", "strong")]]
    frame += [gauge_line(gauge, width, glyphs) for gauge in known_gauges(state.memory)]
    if len(frame) == 1:
        frame.append([("no figures yet", "dim")])
    if state.memory.utilization is not None:
        frame.append(
            [(f"{'busy':<{NAME_WIDTH}}", "dim"), (f"{figures.percent(state.memory.utilization):>6}", "text")]
        )
    pace = pace_lines(state)
    if len(frame) + len(pace) + 2 <= height:
        frame.append([])
    return [*frame, [("pace", "strong")], *pace] if pace else frame


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
    line.append((" GB", "dim") if len(line) > 1 else ("  no figures yet", "dim"))
    if state.pace.samples_per_second is None:
        return [line]
    rate: Line = [(figures.rate(state.pace.samples_per_second), "text"), (" samples/s ", "dim")]
    gap = width - width_of(line) - width_of(rate)
    return [[*line, (" " * gap, "text"), *rate]] if gap >= 2 else [line]


def known_gauges(memory: Memory) -> list[Gauge]:
    """What the engine has measured; on a CPU there is no device to measure."""
    gauges: list[Gauge] = [
        ("process", memory.process, memory.total),
        ("device", memory.device, memory.limit),
        ("reserved", memory.reserved, memory.limit),
        ("system", memory.used, memory.total),
    ]
    return [gauge for gauge in gauges if gauge[1] is not None]


def gauge_line(gauge: Gauge, width: int, glyphs: Glyphs) -> Line:
    """`device     71.2 ▕█████▌     ▏ of 384.0 GB`"""
    name, used, total = gauge
    role = _level(used, total)
    line: Line = [(f"{name:<{NAME_WIDTH}}", "dim"), (figures.gigabytes(used), role)]
    if total is None or used is None:
        return [*line, (" GB", "dim")]
    room = width - NAME_WIDTH - 6 - 14 - 2
    if room >= 4:
        left, right = glyphs.gauge_edges[0], glyphs.gauge_edges[1]
        fill = role if role != "text" else "accent"
        line += [
            (f" {left}", "faint"),
            *meter(used / total, room, glyphs, fill),
            (right, "faint"),
        ]
    return [*line, (" of", "dim"), (f"{figures.total_gigabytes(total):>6}", "dim"), (" GB", "dim")]


def meter(share: float, width: int, glyphs: Glyphs, role: str) -> Line:
    """A bar filled to eighths of a cell."""
    steps = len(glyphs.eighths) - 1
    filled = round(min(1.0, max(0.0, share)) * width * steps)
    whole, part = divmod(filled, steps)
    tail = glyphs.eighths[part] if part and whole < width else ""
    return [(glyphs.eighths[-1] * whole + tail, role), (" " * (width - whole - len(tail)), "text")]


def pace_lines(state: FlightState) -> Frame:
    """Name and number in two columns; what is not known is not listed."""
    pace = state.pace
    cells: list[Line] = []
    if pace.samples_per_second is not None:
        cells.append([(figures.rate(pace.samples_per_second), "text"), (" samples/s", "dim")])
    if pace.learning_rate is not None:
        cells.append([("lr ", "dim"), (f"{pace.learning_rate:.1e}", "text")])
    if pace.gradient is not None:
        cells.append([("gradient ", "dim"), (figures.loss(pace.gradient), "text")])
    if pace.padding is not None:
        cells.append([("padding ", "dim"), (figures.percent(pace.padding), "text")])
    return columns([(cells[::2], 17), (cells[1::2], 17)])


def _level(used: float | None, total: float | None) -> str:
    share = used / total if used is not None and total else 0.0
    return "bad" if share >= FULL else "warn" if share >= TIGHT else "text"
