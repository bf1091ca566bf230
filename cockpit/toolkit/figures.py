"""Numbers as words of fixed width: a digit that changes must not move its neighbours."""

from __future__ import annotations

import math
import time

from engine.stages import find_stage
from engine.words.durations import duration
from engine.words.sizes import GIB


def count(value: int) -> str:
    """`1,332`"""
    return f"{value:,}"


def time_left(seconds: float | None, low: float | None, high: float | None, done_at: float | None) -> str:
    """`left 50-85 min, ~14:20`, or nothing while it is unknown; in coarse steps, so that it is not restless.

    Without a time of day, which there is none of for a run that rests, only how long it takes.
    """
    if seconds is None or not math.isfinite(seconds):
        return ""
    clock = ""
    if done_at is not None and seconds >= 90:
        day = "%a " if seconds > 18 * 3600 else ""
        clock = time.strftime(f", ~{day}%H:%M", time.localtime(done_at))
    return f"left {_range(seconds, low, high)}{clock}"


def _range(seconds: float, low: float | None, high: float | None) -> str:
    """`50-85 min`, `5 h 20 - 6 h 50`; one number where both ends read alike."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return duration(_coarse(seconds))
    least, most = duration(_coarse(low)), duration(_coarse(high))
    if least == most:
        return most
    number, _, unit = least.partition(" ")
    return f"{number}-{most}" if most.endswith(f" {unit}") and " " not in unit else f"{least} - {most}"


def slower(times: float | None) -> str:
    """`35 times slower than planned`, where it is twice as slow or more."""
    if times is None or not math.isfinite(times) or times < 2:
        return ""
    told = f"{times:.2g}" if times < 10 else f"{5 * round(times / 5)}"
    return f"{told} times slower than planned"


def _coarse(seconds: float) -> float:
    if seconds < 20:
        return round(seconds)
    return round(seconds / 5) * 5 if seconds < 90 else round(seconds / 60) * 60


def gigabytes(value: float | None) -> str:
    """Bytes in GiB, right-aligned in six cells: `  71.2`, and `-` where unknown."""
    if value is None or not math.isfinite(value):
        return f"{'-':>6}"
    return f"{value / GIB:6.1f}" if value < 9999 * GIB else f"{value / GIB:6.0f}"


def total_gigabytes(value: float) -> str:
    """What there is altogether, in GiB: `7.8`, `512`."""
    return f"{value / GIB:.1f}" if value < 99.95 * GIB else f"{value / GIB:.0f}"


def loss(value: float | None) -> str:
    """Five cells: ` 1.12`, `12.35`, `nan  `; scientific where it would not fit."""
    if value is None:
        return f"{'-':>5}"
    if not math.isfinite(value):
        return f"{'nan':>5}"
    if abs(value) < 100:
        return f"{value:5.2f}"
    return f"{value:5.0f}" if abs(value) < 1e5 else f"{value:.0e}"


def value(number: float | None) -> str:
    """Any number in four digits: `1.234`, `9.1e-05`, `nan`, and `-` where unknown."""
    if number is None:
        return "-"
    return "nan" if not math.isfinite(number) else f"{number:.4g}"


def tick(value: float, step: float) -> str:
    """A label of the loss axis with as many digits as its step needs."""
    if abs(value) >= 1e5 or (0 < step < 1e-3):
        return _scientific(value)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    if abs(step * 10**digits - round(step * 10**digits)) > 1e-6:
        digits += 1
    return f"{value:.{max(digits, 1) if step < 10 else 0}f}"


def log_tick(value: float) -> str:
    """A label of a logarithmic axis."""
    return f"{value:.3g}" if 1e-3 <= value < 1e5 else _scientific(value)


def _scientific(value: float) -> str:
    """`7.5e-5`, in at most six cells."""
    mantissa, _, power = f"{value:.1e}".partition("e")
    short = f"{mantissa}e{int(power)}"
    return "0" if value == 0 else short if len(short) <= 6 else f"{value:.0e}"


def rate(value: float | None) -> str:
    """Samples a second in four cells: `0.91`, `12.3`, ` 123`."""
    if value is None or not math.isfinite(value):
        return f"{'-':>4}"
    if value < 10:
        return f"{value:4.2f}"
    return f"{value:4.1f}" if value < 100 else f"{value:4.0f}"


def percent(value: float | None) -> str:
    """A share in four cells: `  4 %` without the sign's blank moving."""
    if value is None or not math.isfinite(value):
        return f"{'-':>3} %"
    return f"{round(100 * value):3d} %"


def size_words(size: int) -> str:
    """Seven cells at most: `812 kB`, `13.4 MB`, `1.2 GB`."""
    if size < 999_500:
        return f"{size / 1e3:.0f} kB"
    if size < 999_500_000:
        return f"{size / 1e6:.1f} MB" if size < 99_950_000 else f"{size / 1e6:.0f} MB"
    return f"{size / 1e9:.1f} GB" if size < 99_950_000_000 else f"{size / 1e9:.0f} GB"


def stage_letter(stage: str) -> str:
    """`A` for `stage_a`; of a stage that is not known, what its name says."""
    known = find_stage(stage)
    return known.letter if known else stage.removeprefix("stage_").upper()
