"""The series that charts can show, and which one is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """A series that a chart can show, and its name in words."""

    tag: str
    name: str


LOSS = Metric("train/loss", "loss")
TRENDS = (
    Metric("train/samples_per_second", "samples/s"),
    Metric("train/lr", "learning rate"),
    Metric("train/grad_norm", "gradient norm"),
    Metric("train/padding", "padding"),
)
"""The small charts, in their order."""


@dataclass(slots=True)
class ChartChoice:
    """What the charts show and how, until another choice is made: it outlives the screen that it was made on."""

    metric: Metric = LOSS
    log: bool = False

    def next_metric(self, metrics: Sequence[Metric]) -> None:
        """The one after the present one, in a circle."""
        at = metrics.index(self.metric) if self.metric in metrics else -1
        self.metric = metrics[(at + 1) % len(metrics)]
