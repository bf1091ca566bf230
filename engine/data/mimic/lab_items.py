"""The table of laboratory items: their names, their units, and how other units are converted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from engine.files.yaml_file import read_yaml


@dataclass(frozen=True, slots=True)
class LabItem:
    """See lab_items.yaml, which says what the fields mean."""

    item: int
    name: str
    unit: str
    possible: tuple[float, float]
    same: tuple[str, ...] = ()
    convert: Mapping[str, float] = field(default_factory=dict)
    told: bool = False

    def factors(self) -> dict[str, float]:
        """Factor into our unit by every known spelling of a unit, as `plain_unit` writes it."""
        same = dict.fromkeys((self.unit, *self.same), 1.0)
        return {plain_unit(unit): factor for unit, factor in {**same, **self.convert}.items()}


@cache
def lab_items() -> dict[int, LabItem]:
    """The items by id, in the order of the prompt."""
    entries = read_yaml(Path(__file__).with_name("lab_items.yaml"))
    items = [LabItem(**{**entry, "possible": tuple(entry["possible"])}) for entry in entries]
    return {item.item: item for item in items}


def plain_unit(unit: str) -> str:
    """The unit in lower case, without blanks and with u for micro, so that spellings can be compared."""
    return unit.lower().replace(" ", "").replace("µ", "u").replace("μ", "u")
