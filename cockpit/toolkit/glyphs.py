"""The characters that carry meaning, in Unicode and in plain ASCII for terminals whose font has no more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cockpit.toolkit.graphics.pictures import Pictures


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of characters; every widget takes the set as data.

    `pictures` shows films in the terminal's own graphics, where it has some; else they are made of characters.
    """

    curve: str
    mean: str
    raw_sample: str
    mean_sample: str
    validation: str
    validation_sample: str
    above: str
    below: str
    bar: str
    boundary: str
    crosshair: str
    epoch: str
    rule: str
    axis: str
    axis_tick: str
    axis_corner: str
    axis_floor: str
    axis_floor_tick: str
    done: str
    ahead: str
    head: str
    checkpoint: str
    hit: str
    missed: str
    invented: str
    neither: str
    lacking: str
    pointer: str
    left: str
    right: str
    marked: str
    alert: str
    gauge_edges: str
    eighths: str
    heights: str
    ellipsis: str
    times: str
    blocks: bool
    states: dict[str, str] = field(default_factory=dict)
    pictures: Pictures | None = None

    def state(self, word: str) -> str:
        """`● training`: the state's glyph and its word; what only passes by has the ellipsis."""
        return f"{self.states.get(word, self.ellipsis)} {word}"


UNICODE = Glyphs(
    curve="braille",
    mean="braille",
    raw_sample="⠒⠒",
    mean_sample="━━",
    validation="◆",
    validation_sample="⠺⠂",
    above="▴",
    below="▾",
    bar="┄",
    boundary="│",
    crosshair="╌╎",
    epoch="┊",
    rule="─",
    axis="│",
    axis_tick="┤",
    axis_corner="└",
    axis_floor="─",
    axis_floor_tick="┬",
    done="━",
    ahead="─",
    head="╸",
    checkpoint="╋",
    hit="✔",
    missed="✖",
    invented="+",
    neither="·",
    lacking="−",
    pointer="▸",
    left="◂",
    right="▸",
    marked="●",
    alert="⚠",
    gauge_edges="▕▏",
    eighths=" ▏▎▍▌▋▊▉█",
    heights=" ▁▂▃▄▅▆▇█",
    ellipsis="…",
    times="×",
    blocks=True,
    states={
        "training": "●",
        "holding": "◐",
        "parked": "◌",
        "stopped": "■",
        "finished": "✔",
        "crashed": "✖",
        "failed": "✖",
        "stalled": "▲",
    },
)
ASCII = Glyphs(
    curve=".",
    mean="*",
    raw_sample="..",
    mean_sample="**",
    validation="o",
    validation_sample="o",
    above="^",
    below="v",
    bar="-",
    boundary="|",
    crosshair="-|",
    epoch=":",
    rule="-",
    axis="|",
    axis_tick="+",
    axis_corner="+",
    axis_floor="-",
    axis_floor_tick="+",
    done="=",
    ahead="-",
    head=">",
    checkpoint="#",
    hit="ok",
    missed="x",
    invented="+",
    neither=".",
    lacking="-",
    pointer=">",
    left="<",
    right=">",
    marked="*",
    alert="!",
    gauge_edges="[]",
    eighths=" #",
    heights=" .:-=+*#",
    ellipsis="...",
    times="x",
    blocks=False,
    states={
        "training": "*",
        "holding": "=",
        "parked": "o",
        "stopped": "#",
        "finished": "+",
        "crashed": "x",
        "failed": "x",
        "stalled": "^",
    },
)
