"""What a bench found: figures beside their bars, as a table or as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from cockpit.commands.common.console import print_json, table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. It meets its bar if it is at most that; without a bar it is only told."""

    name: str
    value: float
    unit: str
    bar: float | None = None

    @property
    def met(self) -> bool | None:
        """None where there is no bar. What could not be measured (NaN) meets none."""
        return None if self.bar is None else not math.isnan(self.value) and self.value <= self.bar


def figures_table(figures: Sequence[Figure]) -> list[str]:
    """A line a figure: what, how much, the bar, whether it is met."""
    rows = [("MEASURED", "VALUE", "BAR", "")]
    for one in figures:
        bar = "" if one.bar is None else f"≤ {_number(one.bar)} {one.unit}"
        verdict = {None: "", True: "met", False: "not met"}[one.met]
        rows.append((one.name, f"{_number(one.value)} {one.unit}", bar, verdict))
    return table(rows, right=(1, 2))


def print_figures(bench: str, figures: Sequence[Figure], as_json: bool) -> int:
    """Print them; returns the exit code: 1 if a bar is not met."""
    if as_json:
        print_json({"bench": bench, "figures": [asdict(one) | {"met": one.met} for one in figures]})
    else:
        print("\n".join(figures_table(figures)))
    return 0 if all(one.met is not False for one in figures) else 1


def _number(value: float) -> str:
    """Three digits that count."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 4)}f}"
